"""What tests rely on does what they rely on."""
