"""The gateway's HTTP API for commands: the standard library is enough, and is imported only when there is a request."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from deploy.embedded.credentials import read_secret
from deploy.embedded.errors import StackError
from deploy.embedded.home import Home
from deploy.embedded.record import read_record

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ApiError(StackError):
    """An answer that says no, told in the words of its `application/problem+json`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class GatewayClient:
    """Requests to one gateway with one API key. Every method raises ApiError, or StackError when nothing answers."""

    url: str
    api_key: str
    timeout: float = 60.0

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._json("GET", path + (f"?{urlencode(query)}" if query else ""))

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._json("POST", path, json.dumps(body).encode(), headers)

    def send_form(self, path: str, form: bytes, content_type: str) -> dict[str, Any]:
        return self._json("POST", path, form, {"Content-Type": content_type})

    def delete(self, path: str) -> None:
        self._send("DELETE", path)

    def download(self, path: str) -> bytes:
        return self._send("GET", path)

    def _json(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._send(method, path, body, headers))
        return answer

    def _send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        import urllib.error
        import urllib.request

        request = urllib.request.Request(self.url.rstrip("/") + path, data=body, method=method)  # noqa: S310, see below
        request.add_header("Authorization", f"Bearer {self.api_key}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with _opener(self.url).open(request, timeout=self.timeout) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                raise explain(error.code, error.read(), path) from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", None) or error
            raise StackError(f"No answer from {self.url}: {reason}\nIs it running? Look at: antiphon status") from None


def connect(home: Home) -> GatewayClient:
    """A client for the gateway that ANTIPHON_URL and ANTIPHON_API_KEY name, else for the stack in `home`.

    Raises StackError when neither is there.
    """
    url, api_key = os.environ.get("ANTIPHON_URL"), os.environ.get("ANTIPHON_API_KEY")
    if url and api_key:
        if urlsplit(url).scheme not in ("http", "https"):
            raise StackError(f"ANTIPHON_URL must begin with http:// or https://, not as in {url}")
        return GatewayClient(url, api_key)
    if url or api_key:
        missing = "ANTIPHON_API_KEY" if url else "ANTIPHON_URL"
        raise StackError(
            f"{missing} is not set, but the other one is. Set both, or none to use the stack of this home."
        )
    record = read_record(home)
    if record is None or "gateway" not in record.urls:
        raise StackError(
            f"No stack is running in {home.path}.\n"
            "Start one: antiphon up --detach, or name another gateway: ANTIPHON_URL and ANTIPHON_API_KEY"
        )
    return GatewayClient(record.urls["gateway"], read_secret(home.secrets, "api_key"))


def _opener(url: str) -> OpenerDirector:
    import urllib.request

    # A proxy that the machine is set up with does not reach what listens on this machine.
    direct = urlsplit(url).hostname in _LOOPBACK
    return urllib.request.build_opener(urllib.request.ProxyHandler({} if direct else None))


def explain(status: int, body: bytes, path: str) -> ApiError:
    try:
        problem = json.loads(body)
        code, title, detail = (str(problem.get(field, "")) for field in ("code", "title", "detail"))
    except (ValueError, AttributeError):
        code, title, detail = "", "", body[:300].decode(errors="replace").strip()
    words = ": ".join(part for part in (title, detail) if part) or "no reason given"
    named = f" [{code}]" if code else ""
    return ApiError(status, code, f"{words}{named} (HTTP {status}, {path.partition('?')[0]})")
