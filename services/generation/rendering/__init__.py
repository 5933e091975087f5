"""What a speech worker does: takes work from the queue, speaks it, and joins what was spoken."""
