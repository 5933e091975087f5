"""Speaking: a whole text at once, or one chunk that texts share. No transaction spans the slow parts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from sqlalchemy.ext.asyncio import AsyncSession

from libs import outbox
from libs.contracts.antiphon.generation.v1.events_pb2 import Alignment, AudioRendered, GenerationProgressed, Normalized
from libs.ids import new_id
from libs.messaging import signal
from libs.speech.encoding import Joiner, parse_output_format
from libs.speech.engine import Rendered, RenderJob
from libs.speech.kept import KEPT_TYPE, KeptChunk, pack_times
from libs.speech.text.reading import Reading, source_times
from libs.telemetry import trace_context
from services.generation.domain import signals
from services.generation.domain.speech import Spec, chunk_key, heard, object_key
from services.generation.rendering.deps import WorkerDeps
from services.generation.rendering.recording import record_audio, uploading
from services.generation.rendering.turn import Turn
from services.generation.store import chunks, generations, queue, renditions
from services.generation.usecases import planning

_tracer = trace.get_tracer("antiphon.worker")


async def begin_whole(deps: WorkerDeps, work: queue.Work) -> Rendered:
    """Speak a short text that is not written down yet. Raises what `SpeechEngine.render` does."""
    with _tracer.start_as_current_span("speak ahead", context=trace_context(work.trace), kind=SpanKind.CONSUMER):
        return await _speak(deps, work, Spec.from_json(work.payload["spec"]), _reading(work).text, goes_on=False)


def _reading(work: queue.Work) -> Reading:
    respelled = work.payload["reading"]
    return Reading(respelled["text"], respelled["origins"]) if respelled else Reading.plain(work.payload["text"])


async def speak_whole(deps: WorkerDeps, work: queue.Work, turn: Turn) -> None:
    """Make the audio of a short text; nothing is left behind when nobody wants it any more.

    Raises what `SpeechEngine.render` does, ObjectStoreUnavailable.
    """
    spec = Spec.from_json(work.payload["spec"])
    text: str = work.payload["text"]
    reading = _reading(work)
    with _ending(turn):
        rendered = await (turn.ahead or _speak(deps, work, spec, reading.text, goes_on=False))
    form = parse_output_format(spec.output)
    joiner = Joiner(form, rendered.samples)
    audio = b"".join((joiner.head(), joiner.add(rendered.segment), joiner.finish()))
    async with uploading(deps, work) as uploaded:
        key = object_key(work.org_id, work.rendition_id, new_id(), form.extension)
        uploaded.append(key)
        began = time.perf_counter()
        with _tracer.start_as_current_span("upload audio"):
            digests = await deps.objects.put_checked(key, audio, form.content_type)
        timings = _timings(work, rendered) | {"upload_seconds": time.perf_counter() - began}
        starts, ends = source_times(len(text), reading.origins, rendered.starts, rendered.ends)
        event = AudioRendered(
            generation_id=str(work.rendition_id),
            org_id=str(work.org_id),
            object_key=key,
            content_type=form.content_type,
            format=form.extension,
            size_bytes=len(audio),
            sha256=digests.sha256,
            md5=digests.md5,
            duration_seconds=rendered.duration_seconds,
            sample_rate=form.sample_rate,
            text=text,
            alignment=Alignment(start_times=starts, end_times=ends),
            model_id=spec.engine,
            language=spec.language,
            input_type=spec.input_type,
            normalized=_normalized(text, spec, reading, rendered) if work.payload["reading"] else None,
        )
        made = renditions.Audio(
            object_key=key,
            alignment_key=None,
            duration_seconds=rendered.duration_seconds,
            samples=rendered.samples,
            size_bytes=len(audio),
            applied=dict(rendered.applied),
            characters_spoken=len(text),
            times=pack_times(starts, ends),
        )
        if not await record_audio(deps, work, made, event, timings=timings, settings=rendered.applied):
            await deps.objects.delete(key)


async def speak_chunk(deps: WorkerDeps, work: queue.Work, turn: Turn) -> None:
    """Speak one chunk and keep it; whoever has all its chunks by that is to be assembled. Raises as `speak_whole`."""
    spec = Spec.from_json(work.payload["spec"])
    cache_key = work.cache_key
    assert cache_key is not None
    with _ending(turn):
        rendered = await _speak(deps, work, spec, work.payload["reading"], goes_on=True)
    kept = KeptChunk(rendered.segment, rendered.samples, rendered.starts, rendered.ends).pack()
    if work.payload.get("is_awaited"):
        await signal(deps.bus, signals.FIRST, str(work.rendition_id), kept)
    async with uploading(deps, work) as uploaded:
        key = chunk_key(work.org_id, cache_key, new_id())
        uploaded.append(key)
        began = time.perf_counter()
        with _tracer.start_as_current_span("upload chunk"):
            sha256 = await deps.objects.put(key, kept, KEPT_TYPE)
        timings = _timings(work, rendered) | {"upload_seconds": time.perf_counter() - began}
        spoken = chunks.Spoken(key, sha256, rendered.samples, dict(rendered.applied), spec.engine, timings)
        # Should the database forget it, the work for it is there again.
        locking = chunks.locking(work.org_id, cache_key)
        async with deps.database.transaction(work.org_id, holding=locking, forgettable=True) as session:
            advanced = await chunks.finish_chunk(session, work, deps.worker_id, spoken)
            ready = [one for one in advanced or () if one.is_complete and one.status == "pending"]
            await queue.enqueue(session, [planning.assembly(one, work.most_at_once) for one in ready])
            await _tell_progress(deps, session, advanced or ())
    if advanced is None:
        await deps.objects.delete(key)
        return
    if work.priority == queue.INTERACTIVE:
        deps.recent.keep(key, kept)
    for one in advanced:
        await signal(deps.bus, signals.PROGRESS, str(one.id))
    if ready:
        await signal(deps.bus, signals.WORK)


@contextmanager
def _ending(turn: Turn) -> Iterator[None]:
    try:
        yield
    finally:
        turn.spoken()


async def _tell_progress(deps: WorkerDeps, session: AsyncSession, advanced: Sequence[chunks.Advanced]) -> None:
    for one in advanced:
        if one.mode != "job" or not one.is_step or one.is_complete:
            continue
        for generation_id in await generations.list_unfinished(session, one.id):
            event = GenerationProgressed(
                generation_id=str(generation_id),
                org_id=str(one.org_id),
                chunks_done=one.chunks_done,
                chunks_total=one.chunks_total,
                progressed_at=deps.clock(),
            )
            outbox.add(session, event)


async def _speak(deps: WorkerDeps, work: queue.Work, spec: Spec, reading: str, *, goes_on: bool) -> Rendered:
    characters, background = work.characters, work.priority == queue.JOB
    with _tracer.start_as_current_span("speak", attributes={"antiphon.characters": characters}) as span:
        job = RenderJob(
            text=reading,
            voice=spec.voice,
            form=parse_output_format(spec.output),
            speed=spec.speed,
            pitch=spec.pitch,
            volume=spec.volume,
            seed=spec.seed,
            is_markup=spec.input_type == "ssml",
            has_phonemes=bool(spec.dictionaries) or spec.input_type == "ssml",
            goes_on=goes_on,
            language=spec.language,
            sampling=spec.sampling,
            background=background,
        )
        rendered = await deps.engine(spec.engine).render(job)
        span.set_attribute("antiphon.engine.queue_seconds", rendered.timings.queue_seconds)
        span.set_attribute("antiphon.engine.synthesis_seconds", rendered.timings.synthesis_seconds)
        span.set_attribute("antiphon.engine.encoding_seconds", rendered.timings.encoding_seconds)
        return rendered


def _timings(work: queue.Work, rendered: Rendered) -> dict[str, float]:
    return {
        "queue_seconds": work.waited_seconds + rendered.timings.queue_seconds,
        "synthesis_seconds": rendered.timings.synthesis_seconds,
        "encoding_seconds": rendered.timings.encoding_seconds,
    }


def _normalized(text: str, spec: Spec, reading: Reading, rendered: Rendered) -> Normalized:
    """Return what is heard, with its times."""
    spoken, places = heard(reading, text, is_markup=spec.input_type == "ssml")
    return Normalized(
        text=spoken,
        alignment=Alignment(
            start_times=[rendered.starts[place] for place in places],
            end_times=[rendered.ends[place] for place in places],
        ),
    )
