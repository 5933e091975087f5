"""Nothing is spoken twice: not what an edit left as it was, nor what a killed worker had finished."""

from __future__ import annotations

import os
import signal
from uuid import UUID

from tests.bench.harness import Row, row
from tests.bench.speech.asking import speak
from tests.bench.speech.scaling import JOB_CHARACTERS, JOB_SECONDS
from tests.bench.speech.stage import Stage
from tests.bench.speech.texts import sentences, text_of
from tests.support.polling import eventually

_SPOKEN = """
select c.idx, s.object_key from generation_chunks c join speech_cache s using (org_id, cache_key)
where c.rendition_id = $1 and s.object_key is not null
"""
_TIMES_SPOKEN = """
select count(*) from generation_attempts where rendition_id = $1 and status = 'rendered' and settings ? 'characters'
"""
SENTENCES = 49
"""Of 100 characters and a space each: 4,948 characters."""


async def measure_edit(stage: Stage) -> list[Row]:
    """Edit one sentence in the middle of a text of 5,000 characters."""
    before = sentences(SENTENCES)
    after = [*before]
    after[SENTENCES // 2] = sentences(1)[0]
    first = await speak(stage.api, stage.voice, " ".join(before))
    answer = await stage.api.post(
        f"/v1/generations/{first['id']}/revise", json={"text": " ".join(after)}, headers={"Prefer": "wait=60"}
    )
    if answer.status != 201:
        raise RuntimeError(f"the revision was not completed: {answer.status} {answer.content[:300]!r}")
    revised = answer.json
    times = await stage.rows("generation", _TIMES_SPOKEN, UUID(revised["id"]))
    return [
        row("one sentence of 5,000 edited: chunks spoken", [float(times[0][0])], "chunks", at_most=1),
        row("the same: characters spoken", [float(revised["characters_spoken"])], "chars"),
        row("the same: characters taken from before", [float(revised["characters_cached"])], "chars"),
    ]


async def measure_kill(stage: Stage) -> list[Row]:
    """Kill the worker when a third of a job is spoken, and see what is spoken afterwards."""
    question = {"text": text_of(JOB_CHARACTERS), "voice_id": stage.voice.id, "mode": "job"}
    answer = await stage.api.post("/v1/generations", json=question)
    rendition_id = UUID(answer.json["id"])

    async def a_third() -> dict[int, str]:
        total = await stage.rows("generation", "select chunks_total from renditions where id = $1", rendition_id)
        spoken = {one[0]: one[1] for one in await stage.rows("generation", _SPOKEN, rendition_id)}
        return spoken if total[0][0] and len(spoken) >= total[0][0] / 3 else {}

    await eventually(a_third, within=JOB_SECONDS, what="a third of the job")
    os.kill(stage.worker.pid, signal.SIGKILL)
    # What it had told the database until it died; from here on its successor speaks.
    finished = {one[0]: one[1] for one in await stage.rows("generation", _SPOKEN, rendition_id)}
    done = await stage.api.until_completed(str(rendition_id), within=JOB_SECONDS)
    if done["status"] != "completed":
        raise RuntimeError(f"the job failed: {done['error']}")
    kept = {one[0]: one[1] for one in await stage.rows("generation", _SPOKEN, rendition_id)}
    again = sum(1 for idx, key in finished.items() if kept.get(idx) != key)
    times = int((await stage.rows("generation", _TIMES_SPOKEN, rendition_id))[0][0])
    return [
        row("worker killed: chunks finished before", [float(len(finished))], "chunks", at_least=1),
        row("worker killed: of them spoken again", [float(again)], "chunks", at_most=0),
        row("worker killed: chunks recorded twice", [float(times - len(kept))], "chunks", at_most=0),
    ]
