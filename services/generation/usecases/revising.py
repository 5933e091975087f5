"""Editing what was spoken: a new generation that shares all that stayed the same."""

from __future__ import annotations

from dataclasses import replace

from libs.web import Caller, Once
from services.generation.domain import errors, requests
from services.generation.usecases import ending, requesting
from services.generation.usecases.deps import Deps


async def revise_generation(
    deps: Deps,
    caller: Caller,
    former: requests.Generation,
    text: str,
    once: Once | None,
    *,
    wait_seconds: float,
) -> requests.Generation:
    """Ask for the speech of an edited text as `former` was asked for. Raises as `request_generation` does."""
    if former.voice_id is None:
        raise errors.WrongState("its voice was deleted; send the text as a new request with another voice")
    previous = await ending.list_previous(deps, caller, former)
    request = replace(former.wanted_again(), text=text)
    return await requesting.request_generation(
        deps,
        caller,
        request,
        once,
        wait_seconds=wait_seconds,
        revised_from=former.id,
        previous=previous,
    )
