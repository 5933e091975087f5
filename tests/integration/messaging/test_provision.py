"""Provisioning: a plan first, nothing lost, nothing to do the second time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nats.js.api import ConsumerConfig, StorageType, StreamConfig

from deploy.init import all_consumers
from libs.messaging.provision import WouldLoseData, apply, plan, provision
from libs.messaging.topology import EVENT_MAX_AGE
from tests.support.scratch import Scratch
from tests.support.servers import Servers

ROOT = Path(__file__).resolve().parents[3]


def antiphon(servers: Servers, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ANTIPHON_")}
    environment = inherited | {
        "ANTIPHON_NATS_URL": servers.nats_url,
        "ANTIPHON_NATS_PASSWORD_FILE": str(servers.home / "secrets" / "nats_provisioner"),
    }
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli.main", *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def test_a_plan_is_shown_and_carried_out_once(scratch: Scratch) -> None:
    jetstream = scratch.bus.jetstream
    await provision(jetstream, all_consumers())
    await jetstream.delete_consumer("EVT_GENERATION", "generation-admit_generation")
    (info,) = [one for one in await jetstream.streams_info() if one.config.name == "EVT_GATEWAY"]
    await jetstream.update_stream(info.config.evolve(duplicate_window=60.0))
    await jetstream.add_consumer("EVT_VOICE", ConsumerConfig(durable_name="nobodys"))

    changes = await plan(jetstream, all_consumers())
    told = {(one.action, one.name) for one in changes}
    assert {
        ("create", "EVT_GENERATION/generation-admit_generation"),
        ("update", "EVT_GATEWAY"),
        ("undeclared", "EVT_VOICE/nobodys"),
    } <= told
    (update,) = [one for one in changes if one.action == "update"]
    assert update.details == {"duplicate_window": (60.0, 120.0)}

    checked = antiphon(scratch.servers, "provision", "--check")
    assert checked.returncode == 1
    assert "duplicate_window: 60.0 -> 120.0" in checked.stdout
    done = antiphon(scratch.servers, "provision", "--yes")
    assert done.returncode == 0, done.stderr
    again = antiphon(scratch.servers, "provision", "--check")
    assert again.returncode == 0
    assert "as declared" in again.stdout
    assert await jetstream.consumer_info("EVT_VOICE", "nobodys")
    await jetstream.delete_consumer("EVT_VOICE", "nobodys")


async def test_what_would_lose_events_is_refused_and_nothing_is_changed(scratch: Scratch) -> None:
    jetstream = scratch.bus.jetstream
    await provision(jetstream, [])
    (info,) = [one for one in await jetstream.streams_info() if one.config.name == "EVT_ANALYTICS"]
    await jetstream.update_stream(info.config.evolve(max_age=2 * EVENT_MAX_AGE))
    with pytest.raises(WouldLoseData, match="max_age"):
        await provision(jetstream, [])
    refused = antiphon(scratch.servers, "provision", "--yes")
    assert refused.returncode == 1
    assert "Nothing was changed" in refused.stderr
    await jetstream.update_stream(info.config.evolve(subjects=["evt.analytics.>", "old.analytics.>"]))
    with pytest.raises(WouldLoseData, match=r"old\.analytics"):
        await provision(jetstream, [])
    await jetstream.update_stream(info.config)


async def test_another_kind_of_stream_is_refused(scratch: Scratch) -> None:
    jetstream = scratch.bus.jetstream
    await provision(jetstream, [])
    (info,) = [one for one in await jetstream.streams_info() if one.config.name == "EVT_EMBEDDING"]
    await jetstream.delete_stream("EVT_EMBEDDING")
    await jetstream.add_stream(
        StreamConfig(name="EVT_EMBEDDING", subjects=["evt.embedding.>"], storage=StorageType.MEMORY)
    )
    with pytest.raises(WouldLoseData, match="storage"):
        await provision(jetstream, [])
    await jetstream.delete_stream("EVT_EMBEDDING")
    assert [one.name for one in await provision(jetstream, [])] == ["EVT_EMBEDDING"]
    assert info.config.name == "EVT_EMBEDDING"
    await apply(jetstream, [])
