"""Asking whether a process does its work."""

from __future__ import annotations

import asyncio

from deploy.embedded.probes import find_obstacle, http_status

LATE_SECONDS = 1.5


async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(LATE_SECONDS)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    writer.close()


async def test_who_answers_late_as_on_a_busy_machine_is_well_and_who_never_answers_is_not() -> None:
    async with await asyncio.start_server(answer_late, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/readyz"
        patient, impatient = await asyncio.gather(find_obstacle(url), http_status(url, timeout=0.2))
    assert patient is None
    assert impatient == (0, "no answer within 0.2 s")
