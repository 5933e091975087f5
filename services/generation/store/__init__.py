"""The generation service's tables and the statements on them."""
