"""Requests that ask for more than their plan allows are answered 429, and every answer says what is left."""

from __future__ import annotations

from starlette.types import Receive, Send

from services.gateway.api.asked import Asked, Handler
from services.gateway.api.dialects import concurrency_headers
from services.gateway.domain.limits import LimitReached, standing_field
from services.gateway.usecases.limiter import Limiter


def limited(limiter: Limiter, answer: Handler) -> Handler:
    """Return `answer` for those whom `limiter` lets in; what needs no key is not its business."""

    async def answer_within_limits(asked: Asked, receive: Receive, send: Send) -> None:
        if asked.credential is None:
            await answer(asked, receive, send)
            return
        try:
            admission = await limiter.admit(asked.credential)
        except LimitReached as refusal:
            asked.added.append((b"ratelimit", standing_field(refusal.standings)))
            asked.added.append((b"ratelimit-policy", limiter.limits_of(asked.credential).policy_field))
            raise
        try:
            standings = limiter.standings(admission)
            asked.added.append((b"ratelimit", standing_field(standings)))
            asked.added.append((b"ratelimit-policy", admission.limits.policy_field))
            asked.added.extend(concurrency_headers(asked.route.dialect, admission.limits, standings))
            if not asked.route.lasting:
                await answer(asked, receive, send)
        finally:
            limiter.release(admission)
        if asked.route.lasting:
            await answer(asked, receive, send)

    return answer_within_limits
