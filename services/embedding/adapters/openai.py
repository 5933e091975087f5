from __future__ import annotations

import asyncio
import base64
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from services.embedding.domain import EmbeddingError, EmbeddingRefused, EmbeddingUnavailable

if TYPE_CHECKING:
    from services.embedding.adapters.embedder import Vectors

# Asked again; every other answer will not change by asking.
_LATER: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_BACKOFF: Final = 8.0
_MESSAGE_CHARACTERS: Final = 300


# A text that is refused though it is shorter is refused for another reason: 100 characters are a window nowhere.
_LEAST_CHARACTERS: Final = 100


class _Unprocessable(EmbeddingRefused):
    """The server refuses what it is asked for; it may be too long."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How a provider is called. Times are seconds."""

    timeout: float = 30.0
    """For one request, answer included."""
    attempts: int = 4
    backoff: float = 0.5
    """Mean pause before the second attempt; it doubles each time and varies by half, so that callers spread."""
    longest_wait: float = 30.0
    """A provider that asks for more by Retry-After is not waited for: the caller is told instead."""
    texts: int = 64
    """Texts in one request."""
    requests: int = 4
    """Requests under way at once, over all callers."""


class OpenAiEmbeddings:
    """Any server that speaks OpenAI's `POST /v1/embeddings`."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        model_id: str,
        dimensions: int,
        *,
        shorten: bool,
        patience: Patience,
    ) -> None:
        self._http = http
        self._url = url
        self._model_id = model_id
        self._dimensions = dimensions
        self._shorten = shorten
        self._patience = patience
        self._under_way = asyncio.Semaphore(patience.requests)

    @classmethod
    async def open(
        cls,
        base_url: str,
        model_id: str,
        dimensions: int,
        *,
        key_file: Path | None = None,
        shorten: bool = False,
        patience: Patience | None = None,
    ) -> OpenAiEmbeddings:
        """Ready to call `base_url` + "/embeddings"; `base_url` ends in /v1, as OpenAI's own clients take it.

        `key_file` holds the API key; none for a server that asks for none. With `shorten` the server is asked to
        give vectors of `dimensions` where its model has more (text-embedding-3 can); most other servers refuse that
        parameter. Nothing is sent yet.

        Raises EmbeddingRefused when `base_url` is no HTTP address or the key file does not hold exactly one key.
        """
        if not _is_http(base_url):
            raise EmbeddingRefused(f"{base_url!r} is not the address of an embeddings API, as http://host:port/v1 is.")
        patience = patience or Patience()
        http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {_read_key(key_file)}"} if key_file else None,
            timeout=aiohttp.ClientTimeout(total=patience.timeout),
        )
        url = base_url.rstrip("/") + "/embeddings"
        return cls(http, url, model_id, dimensions, shorten=shorten, patience=patience)

    @property
    def model_id(self) -> str:
        return self._model_id

    @property
    def dimensions(self) -> int:
        return self._dimensions

    async def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        vectors: Vectors = np.empty((len(texts), self._dimensions), np.float32)

        async def fill(first: int) -> None:
            batch = texts[first : first + self._patience.texts]
            async with self._under_way:
                vectors[first : first + len(batch)] = await self._request(batch)

        try:
            async with asyncio.TaskGroup() as group:
                for first in range(0, len(texts), self._patience.texts):
                    group.create_task(fill(first))
        except ExceptionGroup as failures:
            known, others = failures.split(EmbeddingError)
            if known is None or others is not None:
                raise
            raise _gravest(known) from failures
        return vectors

    async def close(self) -> None:
        await self._http.close()

    async def _request(self, texts: Sequence[str]) -> Vectors:
        """The vectors of a batch. A text that is longer than the model's window counts as far as it is taken.

        Servers refuse such a text, and the whole batch with it; nothing in the answer says reliably which it is.
        """
        import numpy as np

        try:
            return await self._ask(texts)
        except _Unprocessable:
            if len(texts) > 1:
                half = len(texts) // 2
                vectors: Vectors = np.concatenate(
                    [await self._request(texts[:half]), await self._request(texts[half:])]
                )
                return vectors
            shorter = texts[0][: len(texts[0]) // 2]
            if len(shorter) < _LEAST_CHARACTERS:
                raise
            return await self._request([shorter])

    async def _ask(self, texts: Sequence[str]) -> Vectors:
        # OpenAI refuses empty strings, which the model itself would not mind.
        body: dict[str, Any] = {"model": self._model_id, "input": [text or " " for text in texts]}
        body["encoding_format"] = "float"
        if self._shorten:
            body["dimensions"] = self._dimensions
        data = orjson.dumps(body)
        pause = self._patience.backoff
        attempt = 1
        while True:
            outcome = await self._post(data)
            if isinstance(outcome, bytes):
                return self._vectors(outcome, len(texts))
            wait = outcome.retry_after
            if attempt == self._patience.attempts or (wait is not None and wait > self._patience.longest_wait):
                raise outcome
            # Spread, not secret.
            await asyncio.sleep(wait if wait is not None else pause * random.uniform(0.5, 1.5))  # noqa: S311
            pause = min(2 * pause, _LONGEST_BACKOFF)
            attempt += 1

    async def _post(self, data: bytes) -> bytes | EmbeddingUnavailable:
        """The answer's body, or why it is worth asking again. Raises EmbeddingRefused when it is not."""
        headers = {"Content-Type": "application/json"}
        try:
            async with self._http.post(self._url, data=data, headers=headers, allow_redirects=False) as response:
                content = await response.read()
        except TimeoutError:
            return EmbeddingUnavailable(f"{self._url} did not answer within {self._patience.timeout:g} s.")
        except aiohttp.ClientError as error:
            return EmbeddingUnavailable(f"{self._url} could not be reached: {error}")
        if response.status == 200:
            return content
        message = f"{self._url} answered {response.status}: {_error_message(content)}"
        if response.status in _LATER:
            return EmbeddingUnavailable(message, retry_after=_retry_after(response.headers.get("Retry-After")))
        if response.status in (401, 403):
            message += " Check the API key file of the embeddings provider."
        raise _Unprocessable(message) if response.status in (400, 413, 422) else EmbeddingRefused(message)

    def _vectors(self, content: bytes, count: int) -> Vectors:
        import numpy as np

        try:
            rows = sorted(orjson.loads(content)["data"], key=lambda row: row["index"])
            indexes = [row["index"] for row in rows]
            decoded = [_decode(row["embedding"]) for row in rows]
        except (ValueError, KeyError, TypeError) as error:
            raise EmbeddingRefused(f"{self._url} did not answer as an embeddings API does: {error!r}") from error
        if indexes != list(range(count)):
            raise EmbeddingRefused(f"{self._url} answered {len(indexes)} vectors, wrongly numbered, for {count} texts.")
        wrong = next((row.size for row in decoded if row.shape != (self._dimensions,)), None)
        if wrong is not None:
            raise EmbeddingRefused(
                f"{self._model_id} at {self._url} gives vectors of {wrong} dimensions, but {self._dimensions} "
                "are configured. Configure what the model gives, or ask the provider to shorten them."
            )
        vectors = np.stack(decoded)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise EmbeddingRefused(f"{self._url} answered vectors with no direction (zero or not finite).")
        normalised: Vectors = vectors / lengths
        return normalised


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _read_key(path: Path) -> str:
    try:
        key = path.read_text().strip()
    except OSError as error:
        raise EmbeddingRefused(f"The key of the embeddings provider cannot be read: {error}") from error
    if len(key.split()) != 1:
        raise EmbeddingRefused(f"{path} must hold the API key of the embeddings provider and nothing else.")
    return key


def _decode(embedding: list[float] | str) -> Vectors:
    """A list of numbers, or what some servers send whatever they are asked for: base64 of float32."""
    import numpy as np

    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4").astype(np.float32)
    return np.array(embedding, np.float32)


def _error_message(content: bytes) -> str:
    """OpenAI's `{"error": {"message"}}`, or the beginning of whatever came."""
    try:
        return str(orjson.loads(content)["error"]["message"])[:_MESSAGE_CHARACTERS]
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip()[:_MESSAGE_CHARACTERS] or "(empty)"


def _retry_after(value: str | None) -> float | None:
    """Seconds, from `Retry-After` as seconds or as a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _gravest(failures: ExceptionGroup[EmbeddingError]) -> EmbeddingError:
    """What waiting does not mend, if some of the requests failed with that."""
    errors = [error for error in failures.exceptions if isinstance(error, EmbeddingError)]
    return next((error for error in errors if isinstance(error, EmbeddingRefused)), errors[0])
