"""The storage service's database history."""
