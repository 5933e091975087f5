"""What the speech suite measures, one module an area; each has `async def measure(...) -> list[Row]`."""
