"""A stack in which one process has a clock that is wrong."""
