"""What clients upload as audio: decoded in a process of its own, measured, and judged."""
