"""Handing a request over: a service decides about a resource, another one serves its bytes.

The service answers with a header that names the other service and a path there; the gateway asks that
service, with an identity made for it, and sends its answer to the client. Services never call each other.
"""

from __future__ import annotations

from starlette.responses import Response

HANDOVER_HEADER = "x-antiphon-handover"


def handover(service: str, path: str) -> Response:
    """Return the answer that makes the gateway ask `service` for `path` instead."""
    return Response(headers={HANDOVER_HEADER: f"{service} {path}"})
