"""ElevenLabs' text to speech in its four forms."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import aiohttp
import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from libs.web.described import answered
from services.gateway.adapters.asking import Asking
from services.gateway.api.flow import Flow
from services.gateway.api.parts import AskingOf, DepsOf
from services.gateway.domain.elevenlabs import speech
from services.gateway.usecases.speaking import speak, streamed

router = APIRouter()

AUDIO = ("audio/mpeg", "audio/wav", "audio/ogg", "audio/flac", "audio/aac", "audio/pcm", "audio/basic", "audio/PCMA")
IGNORED = "antiphon-ignored"
COST = "character-cost"
ITEM = "history-item-id"
_NDJSON = {"content-type": "application/x-ndjson"}
_STREAM = "/v1/generations/stream?cancel_on_disconnect=true"
STREAM_LINES = "/v1/generations/stream/with-timestamps?cancel_on_disconnect=true"


class VoiceSettings(BaseModel):
    """How a voice speaks. Of these our engines know `speed`; the answer's header names the others."""

    model_config = ConfigDict(extra="allow")

    speed: float | None = Field(None, ge=0.25, le=4, allow_inf_nan=False)
    stability: float | None = None
    similarity_boost: float | None = None
    style: float | None = None
    use_speaker_boost: bool | None = None


class Locator(BaseModel):
    """A version of a pronunciation dictionary; the newest one unless it is named."""

    pronunciation_dictionary_id: str = Field(min_length=1, max_length=64)
    version_id: str | None = Field(None, max_length=64)


class SpeechRequest(BaseModel):
    """A text to be spoken. What has no meaning here is ignored, and `Antiphon-Ignored` names it."""

    model_config = ConfigDict(extra="allow")

    text: str = Field(min_length=1, max_length=speech.TEXT_MAX_LENGTH, examples=["Hello, how are you?"])
    model_id: str | None = Field(None, max_length=100)
    language_code: str | None = Field(None, max_length=35)
    voice_settings: VoiceSettings | None = None
    pronunciation_dictionary_locators: list[Locator] | None = Field(None, max_length=speech.LOCATORS_MAX)
    seed: int | None = Field(None, ge=0, le=2**32 - 1)
    previous_text: str | None = None
    next_text: str | None = None
    previous_request_ids: list[str] | None = None
    next_request_ids: list[str] | None = None
    use_pvc_as_ivc: bool | None = None
    apply_text_normalization: Literal["auto", "on", "off"] | None = None
    apply_language_text_normalization: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None


class SpeechQuery(BaseModel):
    """What goes beside the text."""

    output_format: str = Field(speech.DEFAULT_FORMAT, max_length=40, description="Codec, sample rate and bit rate.")
    enable_logging: bool = Field(True, description="If false, nothing of the request is kept once it is answered.")
    optimize_streaming_latency: int | None = Field(None, description="Ignored: it is always as fast as it can be.")


QueryOf = Annotated[SpeechQuery, Query()]


async def _spoken(
    voice_id: str, wanted: SpeechRequest, query: QueryOf, asking: AskingOf, deps: DepsOf
) -> speech.Spoken:
    fields = wanted.model_dump(exclude_none=True) | query.model_dump(exclude_none=True)
    fields["unknown"] = sorted(wanted.model_extra or {})
    return speech.spoken_of(fields, await deps.voice_names.find(asking, voice_id), query.output_format)


SpokenOf = Annotated[speech.Spoken, Depends(_spoken)]


def _headers(spoken: speech.Spoken, characters: int, item: str, also_ignored: Sequence[str] = ()) -> dict[str, str]:
    headers = {COST: str(characters), ITEM: item, "cache-control": "private, no-store"}
    ignored = sorted({*spoken.ignored, *also_ignored})
    return headers | ({IGNORED: ", ".join(ignored)} if ignored else {})


def _stream_headers(spoken: speech.Spoken, characters: int, answer: aiohttp.ClientResponse) -> dict[str, str]:
    return _headers(spoken, characters, answer.headers["generation-id"])


def _forget(asking: Asking, generation_id: str) -> Callable[[aiohttp.ClientResponse], Awaitable[object]]:
    async def forget(_answer: aiohttp.ClientResponse) -> None:
        target = f"/v1/generations/{generation_id}"
        await asking.json("DELETE", "generation", target, template="/v1/generations/{generation_id}")

    return forget


@router.post("/v1/text-to-speech/{voice_id}", response_class=Response, responses=answered(200, content=AUDIO))
async def elevenlabs_convert(wanted: SpeechRequest, query: QueryOf, spoken: SpokenOf, asking: AskingOf) -> Response:
    """Speak a text and answer with its audio when all of it is spoken."""
    generation = await speak(asking, spoken.document)
    opened = asking.open(
        "GET",
        "generation",
        f"/v1/generations/{generation['id']}/audio",
        template="/v1/generations/{generation_id}/audio",
    )
    return Flow(
        opened,
        headers=lambda _answer: _done_headers(wanted, spoken, generation),
        then=None if query.enable_logging else _forget(asking, generation["id"]),
    )


def _done_headers(
    wanted: SpeechRequest,
    spoken: speech.Spoken,
    generation: dict[str, Any],  # Any: JSON
) -> dict[str, str]:
    named = [name for name in generation["parameters_ignored"] if getattr(wanted, name, None) is not None]
    characters = generation["characters_spoken"]
    return _headers(spoken, len(wanted.text) if characters is None else characters, generation["id"], named)


@router.post(
    "/v1/text-to-speech/{voice_id}/stream",
    response_class=StreamingResponse,
    responses=answered(200, content=AUDIO),
)
async def elevenlabs_stream(wanted: SpeechRequest, query: QueryOf, spoken: SpokenOf, asking: AskingOf) -> Response:
    """Speak a text and answer with its audio while it is spoken."""
    opened = streamed(asking, _STREAM, spoken.document)
    return Flow(
        opened,
        headers=partial(_stream_headers, spoken, len(wanted.text)),
        then=None if query.enable_logging else partial(_forget_streamed, asking),
    )


async def _forget_streamed(asking: Asking, answer: aiohttp.ClientResponse) -> None:
    await _forget(asking, answer.headers["generation-id"])(answer)


@router.post(
    "/v1/text-to-speech/{voice_id}/with-timestamps",
    response_class=Response,
    responses=answered(200, content=["application/json"]),
)
async def elevenlabs_convert_with_timestamps(
    wanted: SpeechRequest, query: QueryOf, spoken: SpokenOf, asking: AskingOf
) -> Response:
    """Speak a text and answer with its audio in Base64 and the times of its characters."""
    generation = await speak(asking, spoken.document)
    path, template = f"/v1/generations/{generation['id']}", "/v1/generations/{generation_id}"
    alignment, normalized = [
        await asking.json("GET", "generation", f"{path}/alignment?normalized={which}", template=f"{template}/alignment")
        for which in ("false", "true")
    ]
    times = {
        "alignment": speech.alignment_of(wanted.text, spoken.script, alignment["start_times"], alignment["end_times"]),
        "normalized_alignment": speech.plain_alignment(
            normalized["characters"], normalized["start_times"], normalized["end_times"]
        ),
    }
    opened = asking.open("GET", "generation", f"{path}/audio", template=f"{template}/audio")
    headers = _done_headers(wanted, spoken, generation) | {"content-type": "application/json"}
    then = None if query.enable_logging else _forget(asking, generation["id"])
    return Flow(opened, headers=lambda _answer: headers, transform=partial(_in_json, times), then=then)


async def _in_json(times: dict[str, Any], answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:  # Any: JSON
    yield b'{"audio_base64":"'
    rest = b""
    async for piece in answer.content.iter_any():
        rest += piece
        whole = len(rest) - len(rest) % 3
        yield base64.b64encode(rest[:whole])
        rest = rest[whole:]
    yield base64.b64encode(rest) + b'",' + orjson.dumps(times)[1:]


@router.post(
    "/v1/text-to-speech/{voice_id}/stream/with-timestamps",
    response_class=StreamingResponse,
    responses=answered(200, content=["application/x-ndjson"]),
)
async def elevenlabs_stream_with_timestamps(
    wanted: SpeechRequest, query: QueryOf, spoken: SpokenOf, asking: AskingOf
) -> Response:
    """Speak a text and answer with lines of JSON while it is spoken: audio in Base64, and its characters' times."""
    opened = streamed(asking, STREAM_LINES, spoken.document)
    return Flow(
        opened,
        headers=lambda answer: _stream_headers(spoken, len(wanted.text), answer) | _NDJSON,
        transform=partial(_lines, speech.Follower(wanted.text, spoken.script)),
        then=None if query.enable_logging else partial(_forget_streamed, asking),
    )


async def _lines(follower: speech.Follower, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for line in lines_of(follower, answer):
        yield orjson.dumps(line | {"normalized_alignment": None}) + b"\n"


async def lines_of(follower: speech.Follower, answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Yield the lines of a stream with their alignments as those of the text. Any: JSON."""
    async for line in _split(answer):
        ours = orjson.loads(line)
        times = ours["alignment"] or {"start_times": [], "end_times": []}
        alignment = follower.take(times["start_times"], times["end_times"])
        yield {"audio_base64": ours["audio_base64"], "alignment": alignment}


async def _split(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in answer.content.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest
