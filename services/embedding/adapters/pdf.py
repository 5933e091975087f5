"""The text of PDF documents, read in processes that may be lost: pypdf is made of loops over what a file says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson

from libs.bounded import BoundedPool, Bounds, Broke, PoolUnavailable, TookTooLong
from services.embedding import domain
from services.embedding.domain import documents, files

_MODULE: Final = "services.embedding.adapters.pdf_process"
_BYTES_A_CHARACTER: Final = 6
"""Of JSON, which writes control characters as \\u001f; all others take fewer."""


@dataclass(frozen=True, slots=True)
class PdfBounds:
    """What one PDF may take. A page of a book takes about 20 ms of CPU; memory is beyond the code's own."""

    wall_seconds: float = 180.0
    cpu_seconds: int = 120
    memory_bytes: int = 512 * 2**20
    pages: int = files.PAGES_MOST
    characters: int = documents.TEXT_MAX_LENGTH


class PdfReading:
    """Reads at most `processes` PDF documents at a time; others wait. Belongs to one event loop."""

    def __init__(self, processes: int = 2, bounds: PdfBounds = PdfBounds()) -> None:
        self._pool = BoundedPool(_MODULE, processes)
        self._bounds = bounds

    @property
    def process_ids(self) -> frozenset[int]:
        """The processes that have not ended."""
        return self._pool.process_ids

    async def read(self, content: bytes) -> domain.Reading:
        """Return the text of a PDF with its pages. Cancelling the call ends the work.

        Raises FileRefused; PdfReadingUnavailable if nothing is wrong with the file.
        """
        bounds = self._bounds
        asked = {"pages": bounds.pages, "characters": bounds.characters}
        most = _BYTES_A_CHARACTER * bounds.characters + 16 * bounds.pages
        try:
            reply, body = await self._pool.ask(
                asked, content, Bounds(bounds.wall_seconds, bounds.cpu_seconds, bounds.memory_bytes), most_bytes=most
            )
        except TookTooLong:
            raise domain.FileRefused(
                f"the PDF takes longer to read than the {bounds.wall_seconds:.0f} s that a file may have; "
                "split it, or bring its text"
            ) from None
        except Broke as error:
            needs = f"needs more than {bounds.memory_bytes // 2**20} MB of memory" if error.out_of_memory else "breaks"
            raise domain.FileRefused(f"reading the PDF {needs}; export it again, split it, or bring its text") from None
        except PoolUnavailable as error:
            raise domain.FilesUnreadable(f"no PDF can be read: {error}") from error
        if reply["kind"] == "refused":
            raise domain.FileRefused(str(reply["message"]))
        return domain.join_pages(orjson.loads(body))

    async def close(self) -> None:
        """End all processes."""
        await self._pool.close()
