"""What a request for speech means: by which voice, engine, language and dictionaries it is spoken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from libs.ids import parse_id
from libs.speech.text.detection import detect_language
from libs.web import Caller
from services.generation.domain import errors, requests, speech
from services.generation.store import dictionaries, voices
from services.generation.usecases.deps import Deps

VOICE_GRACE_SECONDS = 2.0
"""How long a request waits for a brand-new voice to become known here."""
VOICE_POLL_SECONDS = 0.05


async def find_voice(deps: Deps, caller: Caller, voice_id: UUID) -> requests.Voice:
    """Return a voice that the caller may use; a brand-new one is waited for. Raises UnknownVoice."""
    known = deps.system_voices.get(voice_id)
    if known is not None:
        return known
    deadline = asyncio.get_running_loop().time() + VOICE_GRACE_SECONDS
    while True:
        async with deps.database.transaction(caller.org_id) as session:
            voice = await voices.get_voice(session, voice_id)
        if voice is not None:
            deps.system_voices.keep(voice)
            return voice
        new = requests.may_be_on_its_way(voice_id, deps.clock())
        if not new or asyncio.get_running_loop().time() > deadline:
            raise errors.UnknownVoice
        await asyncio.sleep(VOICE_POLL_SECONDS)


async def spec(deps: Deps, request: requests.Request, voice: requests.Voice) -> speech.Spec:
    """Return what the engine is to be told of a request. Raises LanguageUnknown."""
    model = await deps.models.get(voice.engine)
    language = request.language or voice.language
    if request.language == requests.DETECT:
        plain = speech.Script(request.text, request.input_type, None, voice.language).plain
        found = (await asyncio.to_thread(detect_language, plain)).language
        if found is None:
            raise errors.LanguageUnknown
        # What was found has no region: a British voice speaks English as it does.
        language = voice.language if speech.same_language(found, voice.language) else found
    # A voice in its own language is spoken as it is, also when the request names that language.
    if language != voice.language:
        voice = replace(voice, engine_settings=model.in_language(voice.engine_settings, language))
    return speech.spec_of(request, voice, language, engine_version=model.version, honours=model.honours)


async def spoken_by(deps: Deps, request: requests.Request, voice: requests.Voice) -> requests.Voice:
    """Return the voice, or as another engine speaks it: with one of that engine's voices, in this one's language.

    Raises UnknownModel.
    """
    if request.model_id is None or (request.model_id == voice.engine and request.model_voice is None):
        return voice
    if request.model_id == voice.engine:
        raise errors.UnknownModel(f"{voice.engine} speaks as the voice that voice_id names; leave out model_voice")
    model = await deps.models.get(request.model_id)
    if not model.version and not model.voices:
        raise errors.UnknownModel(f"there is no model {request.model_id!r}")
    own = request.model_voice or next(iter(model.voices), "")
    if model.voices and own not in model.voices:
        raise errors.UnknownModel(f"{request.model_id} has no voice {own!r}")
    return replace(voice, engine=model.id, engine_settings={"voice": own, "language": voice.language})


async def resolve_dictionaries(
    deps: Deps,
    caller: Caller,
    wanted: Sequence[dict[str, Any]],  # Any: id and version, or None for the newest
) -> tuple[requests.DictionaryVersion, ...]:
    """Return which versions of dictionaries a request means. Raises DictionaryNotFound."""
    if not wanted:
        return ()
    versions = []
    async with deps.database.transaction(caller.org_id) as session:
        for one in wanted:
            known = parse_id(one["id"])
            if known is None:
                raise errors.DictionaryNotFound
            version = one["version"] or (await dictionaries.get_dictionary(session, caller.org_id, known)).version
            versions.append(requests.DictionaryVersion(known, version))
    return tuple(versions)
