"""The containers, built and booted for real, doing the main job."""
