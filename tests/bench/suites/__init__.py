"""One module a suite, each with `async def run() -> list[Row]`."""
