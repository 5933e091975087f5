"""Long texts: progress, what is there already, edits, and how they are stopped and begun again."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from libs.speech.encoding import parse_output_format
from tests.e2e.test_speech import LATE_SECONDS, alignment_of, audio_of, finished, one_voice
from tests.e2e.test_speech_streams import state
from tests.support.api import Answer, Api
from tests.support.polling import eventually
from tests.support.prose import prose
from tests.support.stack import Stack
from tests.unit.speech.joined_audio import decode

BOOK = 60_000
FAST = {"speed": 2.5, "format": "mp3_22050_32"}


async def begin(api: Api, text: str, **fields: Any) -> str:
    body = {"text": text, "voice_id": await one_voice(api), **FAST, **fields}
    answer = await api.post("/v1/generations", json=body)
    assert answer.status == 202, answer.content
    return str(answer.json["id"])


async def after_chunks(api: Api, generation_id: str, least: int) -> dict[str, Any]:
    async def far_enough() -> dict[str, Any] | None:
        now = await state(api, generation_id)
        return now if now["progress"] and now["progress"]["chunks_done"] >= least else None

    found = await eventually(far_enough, within=60, what=f"{least} chunks")
    assert found is not None
    return found


@pytest.mark.timeout(180)
async def test_a_book_is_heard_while_it_is_spoken_and_edited_afterwards(api: Api) -> None:
    text = prose(BOOK)
    book = await begin(api, text, mode="job")
    begun = await after_chunks(api, book, 3)
    assert begun["status"] == "processing"
    assert begun["progress"]["chunks_done"] < begun["progress"]["chunks_total"]
    early = await api.get(f"/v1/generations/{book}/audio")
    assert (early.status, early.json["code"]) == (409, "generation_unfinished")
    partial = await api.get(f"/v1/generations/{book}/audio/partial")  # to its end, which follows the speaking
    generation = await finished(api, book, within=60)
    assert generation["characters_spoken"] == BOOK
    assert generation["progress"]["chunks_done"] == generation["progress"]["chunks_total"]
    form = parse_output_format(generation["format"])
    for audio in (partial.content, await audio_of(api, generation)):
        decoded = await asyncio.to_thread(decode, form, audio)
        assert len(decoded.samples) / decoded.rate == pytest.approx(generation["duration_seconds"], abs=LATE_SECONDS)
    alignment = await alignment_of(api, generation)
    assert "".join(alignment["characters"]) == text
    assert alignment["end_times"][-1] <= generation["duration_seconds"] + 1e-3
    await edit(api, book, text)


async def edit(api: Api, book: str, text: str) -> None:
    """One sentence in the middle is another: one chunk is spoken."""
    middle = text.index(". ", BOOK // 2) + 2
    edited = f"{text[:middle]}Nobody {text[middle:]}"
    revised = await api.post(f"/v1/generations/{book}/revise", json={"text": edited})
    assert revised.status == 202, revised.content
    generation = await finished(api, revised.json["id"], within=60)
    assert generation["revised_from"] == book
    assert 0 < generation["characters_spoken"] <= 600
    assert generation["characters_spoken"] + generation["characters_cached"] == len(edited)
    assert "".join((await alignment_of(api, generation))["characters"]) == edited


async def test_a_job_is_canceled_and_begun_again(api: Api) -> None:
    text = prose(20_000)
    job = await begin(api, text, mode="job")
    await after_chunks(api, job, 2)
    canceled = await api.post(f"/v1/generations/{job}/cancel")
    assert (canceled.status, canceled.json["status"]) == (200, "canceled")
    audio = await api.get(f"/v1/generations/{job}/audio")
    assert (audio.status, audio.json["reason_code"]) == (409, "canceled")
    done = (await state(api, job))["progress"]["chunks_done"]
    again = await api.post(f"/v1/generations/{job}/cancel")
    assert (again.status, again.json["code"]) == (409, "wrong_state")
    retried = await api.post(f"/v1/generations/{job}/retry")
    assert retried.status == 202, retried.content
    generation = await finished(api, job, within=60)
    assert generation["progress"]["chunks_done"] > done
    assert "".join((await alignment_of(api, generation))["characters"]) == text
    too_late = await api.post(f"/v1/generations/{job}/retry")
    assert (too_late.status, too_late.json["code"]) == (409, "wrong_state")


async def test_too_much_at_once_is_refused_with_the_time_after_which_it_is_not(stack: Stack, api: Api) -> None:
    voice, worker = await one_voice(api), stack.pid("worker")

    async def ask() -> Answer:
        return await api.post("/v1/generations", json={"text": prose(5_000), "voice_id": voice, **FAST})

    answers: list[Answer] = []
    os.kill(worker, signal.SIGSTOP)  # so that what waits stays
    try:
        while {answer.status for answer in answers} <= {202} and len(answers) < 800:
            answers += await asyncio.gather(*(ask() for _ in range(8)))
        waiting = [answer.json["id"] for answer in answers if answer.status == 202]
        # Those that are asked at once need not be let in one after the other.
        refused = next(answer for answer in answers if answer.status != 202)
        assert (refused.status, refused.json["code"]) == (429, "overloaded")
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json["waiting_seconds"] > 0
        job = await begin(api, prose(600), mode="job")
        unwanted = [*waiting, job]
        for begin_at in range(0, len(unwanted), 8):
            few = unwanted[begin_at : begin_at + 8]
            deleted = await asyncio.gather(*(api.delete(f"/v1/generations/{one}") for one in few))
            assert {answer.status for answer in deleted} == {204}

        async def room() -> Answer | None:
            found = await ask()
            return found if found.status == 202 else None

        let_in = await eventually(room, what="room after all were deleted")
        assert let_in is not None
    finally:
        os.kill(worker, signal.SIGCONT)
    await finished(api, let_in.json["id"])
