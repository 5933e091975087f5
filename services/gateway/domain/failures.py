"""What goes wrong between a client and the service that should answer it."""

from __future__ import annotations

from collections.abc import Mapping


class InvalidKey(Exception):
    """The request carries no API key that opens anything."""


class ScopeMissing(Exception):
    """The key does not have the scope that the route needs."""

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope


class BodyTooLarge(Exception):
    """The request's body is longer than its route takes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"more than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class BodyTooSlow(Exception):
    """The client did not send its body in time."""


class ClientGone(Exception):
    """The client has closed its connection; nobody waits for an answer."""


class ServiceUnavailable(Exception):
    """The service cannot be reached.

    `nothing_done` says that it is certain not to have seen the request.
    """

    def __init__(self, service: str, *, nothing_done: bool) -> None:
        super().__init__(service)
        self.service = service
        self.nothing_done = nothing_done


class ServiceLeftAlone(Exception):
    """The service has not answered for a while, and was not asked."""

    def __init__(self, service: str) -> None:
        super().__init__(service)
        self.service = service


class ServiceTooSlow(Exception):
    """The service did not begin to answer in time."""

    def __init__(self, service: str) -> None:
        super().__init__(service)
        self.service = service


class AnswerCutOff(Exception):
    """The service's answer ended before it was whole."""

    def __init__(self, service: str) -> None:
        super().__init__(service)
        self.service = service


class InvalidHandover(Exception):
    """A service handed a request over to a place that serves nothing."""


class Refused(Exception):
    """A service said no to what the gateway asked for the client; the client is told the same in its own dialect."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        title: str,
        detail: str,
        extra: Mapping[str, object],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.extra = extra
        self.headers = headers


class InvalidField(Exception):
    """A field of a request does not say what can be done; `message` says what can."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class UnknownModel(Exception):
    """There is no model of this name."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model


class InvalidIdempotencyKey(Exception):
    """The header `Idempotency-Key` holds no key; the message says what one is."""


class IdempotencyKeyReused(Exception):
    """The idempotency key belongs to another request of the organisation."""


class AnswerLost(Exception):
    """The request with this idempotency key was done, and the gateway that did it ended before it could say so."""


class RequestStillRunning(Exception):
    """The request with this idempotency key is being done at this moment."""
