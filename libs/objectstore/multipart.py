"""Uploads in parts: begun, completed and given up by us; the parts are sent by clients or by us."""

from __future__ import annotations

import asyncio
import io
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from xml.sax.saxutils import escape

from libs.objectstore.objects import STORED_TYPES, ObjectMissing, ObjectStoreUnavailable, digests
from libs.objectstore.requests import SignedRequests

_UPLOAD = re.compile(rb"<Upload>.*?<Key>([^<]+)</Key>.*?<UploadId>([^<]+)</UploadId>.*?</Upload>", re.DOTALL)


class PartsRefused(Exception):
    """The parts that were named are not those that the store has."""


@dataclass(frozen=True, slots=True)
class PartsUpload:
    """An upload in parts that is neither completed nor given up."""

    key: str
    upload_id: str


class PartsUploads:
    """Uploads in parts in the bucket of an object store."""

    def __init__(self, requests: SignedRequests) -> None:
        """`requests` reach the bucket."""
        self._requests = requests

    async def begin(self, key: str, content_type: str) -> str:
        """Begin an upload and return its id. Raises ObjectStoreUnavailable."""
        headers = {"Content-Type": STORED_TYPES.get(content_type, content_type)}
        async with self._requests.send("POST", key, headers=headers, query={"uploads": ""}) as response:
            if response.status != 200:
                raise ObjectStoreUnavailable(f"beginning an upload was answered {response.status}")
            found = re.search(rb"<UploadId>([^<]+)</UploadId>", await response.read())
        if found is None:
            raise ObjectStoreUnavailable("the answer has no UploadId")
        return unescape(found[1].decode())

    async def put(self, key: str, upload_id: str, number: int, content: bytes, content_type: str) -> str:
        """Send a part, the first being number 1, and return its ETag; `content_type` is the object's.

        Raises ObjectStoreUnavailable.
        """
        query = {"partNumber": str(number), "uploadId": upload_id}
        found = await asyncio.to_thread(digests, content)
        headers = {
            # S3 does not ask for it: SeaweedFS guesses the type of a part otherwise, and compresses WAV (STORED_TYPES).
            "Content-Type": STORED_TYPES.get(content_type, content_type),
            "Content-MD5": b64encode(bytes.fromhex(found.md5)).decode(),
        }
        async with self._requests.send("PUT", key, data=io.BytesIO(content), headers=headers, query=query) as response:
            if response.status != 200:
                raise ObjectStoreUnavailable(f"writing a part was answered {response.status}")
            return response.headers["ETag"]

    async def complete(self, key: str, upload_id: str, etags: Mapping[int, str]) -> None:
        """Put the parts together, by their numbers.

        Raises PartsRefused, ObjectMissing for an upload that is over, and ObjectStoreUnavailable.
        """
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
            for number, etag in sorted(etags.items())
        )
        body = io.BytesIO(f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode())
        async with self._requests.send("POST", key, data=body, query={"uploadId": upload_id}) as response:
            answer = await response.read()
            if response.status == 404:
                raise ObjectMissing
            if response.status == 400:
                raise PartsRefused
            # S3 may begin to answer 200 and then say that it failed after all.
            if response.status != 200 or b"<Error>" in answer:
                raise ObjectStoreUnavailable(f"completing an upload was answered {response.status}")

    async def abort(self, key: str, upload_id: str) -> None:
        """Give an upload up, with the parts that there are; one that is over is no error.

        Raises ObjectStoreUnavailable.
        """
        async with self._requests.send("DELETE", key, query={"uploadId": upload_id}) as response:
            if response.status not in (200, 204, 404):
                raise ObjectStoreUnavailable(f"giving an upload up was answered {response.status}")

    async def abort_all(self, prefix: str) -> int:
        """Give up the uploads under `prefix`, up to a thousand; returns how many. Raises ObjectStoreUnavailable."""
        pending = await self._list(prefix)
        for one in pending:
            await self.abort(one.key, one.upload_id)
        return len(pending)

    async def _list(self, prefix: str) -> list[PartsUpload]:
        async with self._requests.send("GET", "", query={"uploads": "", "prefix": prefix}) as response:
            if response.status != 200:
                raise ObjectStoreUnavailable(f"listing uploads was answered {response.status}")
            answer = await response.read()
        found = [PartsUpload(unescape(one[1].decode()), unescape(one[2].decode())) for one in _UPLOAD.finditer(answer)]
        # Some stores take the prefix for a whole key, or ignore it.
        return [one for one in found if one.key.startswith(prefix)]
