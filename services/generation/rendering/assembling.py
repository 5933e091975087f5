"""Taking long texts apart, and joining their chunks to one file in memory that does not grow with the text."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson
from opentelemetry import trace

from libs.contracts.antiphon.generation.v1.events_pb2 import Alignment, AudioRendered, Normalized
from libs.ids import new_id
from libs.messaging import Permanent, signal
from libs.objectstore import Stored
from libs.speech.encoding import Codec, Joiner, OutputFormat, parse_output_format
from libs.speech.kept import KeptChunk, placed
from libs.speech.text.reading import Reading, source_times
from services.generation.domain import errors, requests, signals
from services.generation.domain.speech import EVENT_TEXT_MAX_LENGTH, Script, Spec, heard, object_key
from services.generation.rendering.deps import WorkerDeps
from services.generation.rendering.pieces import PieceLost, read_chunks, respeak_lost
from services.generation.rendering.recording import record_audio, uploading
from services.generation.rendering.turn import Turn
from services.generation.store import chunks, dictionaries, holding, queue, renditions
from services.generation.usecases import planning

_tracer = trace.get_tracer("antiphon.worker")


async def plan_rendition(deps: WorkerDeps, work: queue.Work, _turn: Turn) -> None:
    """Take a long text apart and queue what has to be spoken of it. Raises Permanent when its dictionaries are gone."""
    async with deps.database.transaction(work.org_id) as session:
        rendition = await renditions.get_rendition(session, work.rendition_id)
        if rendition is None:
            await queue.finish(session, work, deps.worker_id)
            return
        spec = Spec.from_json(rendition.spec)
        wanted = [requests.DictionaryVersion(UUID(one), version) for one, version in spec.dictionaries]
        try:
            rules = await dictionaries.get_rules(session, work.org_id, wanted) if wanted else []
        except errors.DictionaryNotFound as error:
            raise Permanent("a pronunciation dictionary of the request was deleted before it was spoken") from error
    script = await asyncio.to_thread(
        Script, rendition.text, spec.input_type, planning.lexicon_of(rules, spec), spec.language
    )
    previous = work.payload.get("previous") or ()
    plan = await asyncio.to_thread(planning.take_apart, rendition, spec, script, previous)
    assert plan.pieces is not None
    async with deps.database.transaction(work.org_id) as session:
        held = await holding.hold_renditions(session, work.org_id, [work.rendition_id], plan.keys)
        if not await queue.finish(session, work, deps.worker_id):
            return
        current = held.get(work.rendition_id)
        # Two who asked for it at once may both have had it planned.
        if current is not None and current.status == "pending" and current.chunks_total is None:
            await planning.order(session, current, spec, plan.pieces, work.most_at_once)
    await signal(deps.bus, signals.WORK)
    await signal(deps.bus, signals.PROGRESS, str(work.rendition_id))


@dataclass(slots=True)
class _Times:
    """When characters are heard, gathered chunk by chunk: of the text as it was sent, and of what was read for it."""

    starts: array[float] = field(default_factory=lambda: array("d"))
    ends: array[float] = field(default_factory=lambda: array("d"))
    read: list[str] = field(default_factory=list)
    read_starts: array[float] = field(default_factory=lambda: array("d"))
    read_ends: array[float] = field(default_factory=lambda: array("d"))
    is_respelled: bool = False

    def add(
        self, chunk: chunks.Chunk, kept: KeptChunk, before: int, sample_rate: int, rendition: renditions.Rendition
    ) -> None:
        """Take the times of a chunk of a rendition that follows `before` samples."""
        origins: Sequence[int] = range(chunk.characters) if chunk.origins is None else chunk.origins
        starts, ends = source_times(chunk.characters, origins, kept.starts, kept.ends)
        where = before, kept.samples, sample_rate
        self.starts.extend(placed(starts, *where))
        self.ends.extend(placed(ends, *where))
        self.is_respelled = self.is_respelled or chunk.origins is not None
        if chunk.origins is None and rendition.spec["input_type"] != "ssml":
            # It is read as it was sent, as nearly everything is.
            self.read.append(chunk.reading)
            self.read_starts.extend(self.starts[-chunk.characters :])
            self.read_ends.extend(self.ends[-chunk.characters :])
            return
        sent = rendition.text[chunk.first_character : chunk.first_character + chunk.characters]
        is_markup = rendition.spec["input_type"] == "ssml"
        spoken, places = heard(Reading(chunk.reading, origins), sent, is_markup=is_markup)
        self.read.append(spoken)
        self.read_starts.extend(placed([kept.starts[place] for place in places], *where))
        self.read_ends.extend(placed([kept.ends[place] for place in places], *where))

    def document(self, text: str, spec: Spec) -> bytes:
        """Return all of it as JSON."""
        return orjson.dumps(
            {
                "text": text,
                "language": spec.language,
                "input_type": spec.input_type,
                "start_times": [round(time, 4) for time in self.starts],
                "end_times": [round(time, 4) for time in self.ends],
                "normalized": {
                    "text": "".join(self.read),
                    "start_times": [round(time, 4) for time in self.read_starts],
                    "end_times": [round(time, 4) for time in self.read_ends],
                }
                if self.is_respelled
                else None,
            }
        )


async def assemble(deps: WorkerDeps, work: queue.Work, _turn: Turn) -> None:
    """Join the chunks of a rendition, upload the audio, and tell storage; chunks that were lost are spoken again first.

    Raises Permanent when the format cannot hold so much, ObjectStoreUnavailable.
    """
    try:
        await _assemble(deps, work)
    except PieceLost:
        await respeak_lost(deps, work)


async def _assemble(deps: WorkerDeps, work: queue.Work) -> None:
    began = time.perf_counter()
    async with deps.database.transaction(work.org_id) as session:
        rendition = await renditions.get_rendition(session, work.rendition_id)
        samples = await chunks.total_samples(session, work.rendition_id)
    if rendition is None or rendition.status != "pending":
        async with deps.database.transaction(work.org_id) as session:
            await queue.finish(session, work, deps.worker_id)
        return
    spec = Spec.from_json(rendition.spec)
    form = parse_output_format(spec.output)
    times = _Times()
    key = object_key(work.org_id, work.rendition_id, new_id(), form.extension)
    async with uploading(deps, work) as uploaded:
        uploaded.append(key)
        pieces = {"antiphon.chunks": rendition.chunks_total or 0}
        with _tracer.start_as_current_span("assemble audio", attributes=pieces):
            joined = _join(deps, rendition, form, samples, times)
            stored = await deps.objects.put_parts(key, joined, form.content_type)
        event = _event(rendition, spec, form, key, stored, samples)
        alignment_key = None
        if len(rendition.text) > EVENT_TEXT_MAX_LENGTH:
            alignment_key = object_key(work.org_id, work.rendition_id, new_id(), "json")
            document = await asyncio.to_thread(times.document, rendition.text, spec)
            uploaded.append(alignment_key)
            await deps.objects.put(alignment_key, document, "application/json")
            event.alignment_key = alignment_key
        else:
            event.text = rendition.text
            event.alignment.CopyFrom(Alignment(start_times=times.starts, end_times=times.ends))
            if times.is_respelled:
                alignment = Alignment(start_times=times.read_starts, end_times=times.read_ends)
                event.normalized.CopyFrom(Normalized(text="".join(times.read), alignment=alignment))
        made = renditions.Audio(key, alignment_key, samples / form.sample_rate, samples, stored.size)
        timings = {"assembling_seconds": time.perf_counter() - began}
        if not await record_audio(deps, work, made, event, timings=timings, settings={}):
            for one in uploaded:
                await deps.objects.delete(one)


async def _join(
    deps: WorkerDeps, rendition: renditions.Rendition, form: OutputFormat, samples: int, times: _Times
) -> AsyncIterator[bytes]:
    try:
        joiner = Joiner(form, samples)
    except ValueError as error:
        raise Permanent(str(error)) from error
    yield joiner.head()
    done = number = 0
    async for chunk, kept in read_chunks(deps, rendition):
        number += 1
        times.add(chunk, kept, done, form.sample_rate, rendition)
        done += kept.samples
        # What is joined as it is takes less time than handing it to a thread.
        yield joiner.add(kept.segment) if form.codec is Codec.MP3 else await asyncio.to_thread(joiner.add, kept.segment)
    if number != rendition.chunks_total:
        raise Permanent(f"of {rendition.chunks_total} pieces of the text {number} are there")
    yield joiner.finish()


def _event(
    rendition: renditions.Rendition, spec: Spec, form: OutputFormat, key: str, stored: Stored, samples: int
) -> AudioRendered:
    return AudioRendered(
        generation_id=str(rendition.id),
        org_id=str(rendition.org_id),
        object_key=key,
        content_type=form.content_type,
        format=form.extension,
        size_bytes=stored.size,
        sha256=stored.sha256,
        md5=stored.md5,
        duration_seconds=samples / form.sample_rate,
        sample_rate=form.sample_rate,
        model_id=spec.engine,
        language=spec.language,
        input_type=spec.input_type,
    )
