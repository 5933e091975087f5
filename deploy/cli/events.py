"""Commands about events: tell them once more from the archives, or watch them pass."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from deploy.cli.moments import parse_moment
from deploy.cli.operator import operator_bus, service_database
from deploy.embedded.errors import StackError
from deploy.embedded.programs import SERVICES

if TYPE_CHECKING:
    import asyncpg
    from nats.aio.msg import Msg

    from libs.messaging import Bus

app = typer.Typer(help="Replay events from the archives, or watch them pass.", no_args_is_help=True)

Types = Annotated[list[str] | None, typer.Option("--type", help="Only this event type: full name or last part.")]


@app.command()
def replay(
    since: Annotated[str, typer.Option("--since", help="ISO time, or an age such as 2h.")],
    until: Annotated[str | None, typer.Option("--until", help="ISO time, or an age such as 30m.")] = None,
    event_types: Types = None,
    consumer: Annotated[str | None, typer.Option("--consumer", help="Only for this durable.")] = None,
    service: Annotated[str | None, typer.Option("--service", help="Only what this service emitted.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be sent.")] = False,
) -> None:
    """Publish archived events once more. Consumers know what they have applied, so it is safe to repeat."""
    now = datetime.now(UTC)
    begin, end = parse_moment(since, now), parse_moment(until, now) if until else now
    if begin >= end:
        raise StackError("--since must be before --until.")
    services = [service] if service else list(SERVICES)
    if unknown := set(services) - set(SERVICES):
        raise StackError(f"There is no service {', '.join(unknown)}. There are: {', '.join(SERVICES)}.")
    asyncio.run(_replay(services, begin, end, _full_names(event_types), consumer, dry_run=dry_run))


async def _replay(
    services: Sequence[str],
    since: datetime,
    until: datetime,
    types: list[str] | None,
    consumer: str | None,
    *,
    dry_run: bool,
) -> None:
    from libs.outbox.publish import Retelling
    from libs.outbox.replay import Selection, count_archived
    from libs.outbox.replay import replay as replay_archive

    chosen, retelling = Selection(since, until, types), Retelling(uuid4().hex[:12], consumer)
    total = 0
    async with operator_bus() as bus:
        for service in services:
            async with service_connection(service) as connection:
                counts = await count_archived(connection, chosen)
                for name, events in counts.items():
                    print(f"{events:>9,}  {name}")
                if dry_run:
                    total += sum(counts.values())
                    continue
                began, sent = time.monotonic(), 0
                async for count in replay_archive(bus, connection, service, chosen, retelling):
                    sent += count
                    rate = sent / max(time.monotonic() - began, 1e-3)
                    print(
                        f"{service}: {sent:,} of {sum(counts.values()):,}, {rate:,.0f}/s", file=sys.stderr, flush=True
                    )
                total += sent
    print(f"{'would replay' if dry_run else 'replayed'} {total:,}")


@app.command()
def tail(
    event_types: Types = None,
    org: Annotated[str | None, typer.Option("--org", help="Only events of this organisation.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Begin with the past: ISO time, or an age.")] = None,
) -> None:
    """Print events as they come, a JSON object a line, until Ctrl-C."""
    start = parse_moment(since, datetime.now(UTC)) if since else None
    with suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(_tail(_full_names(event_types), org, start))


async def _tail(types: list[str] | None, org: str | None, since: datetime | None) -> None:
    from libs.contracts.registry import emitting_services, stream_of

    arrived: asyncio.Queue[Msg] = asyncio.Queue(1000)
    async with operator_bus() as bus:
        for service in emitting_services():
            await _listen(bus, stream_of(service), since, arrived)
        while True:
            message = await arrived.get()
            headers = message.headers or {}
            if (types is None or headers.get("ce-type") in types) and (org is None or headers.get("ce-orgid") == org):
                print(json.dumps(_line(message)), flush=True)


async def _listen(bus: Bus, stream: str, since: datetime | None, arrived: asyncio.Queue[Msg]) -> None:
    from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

    # The library takes a number for what goes over the wire as text.
    moment: Any = since.isoformat() if since else None
    policy = DeliverPolicy.BY_START_TIME if since else DeliverPolicy.NEW
    config = ConsumerConfig(deliver_policy=policy, opt_start_time=moment, ack_policy=AckPolicy.NONE, flow_control=False)
    await bus.jetstream.subscribe("", stream=stream, config=config, cb=arrived.put, manual_ack=True)


def _line(message: Msg) -> dict[str, object]:
    from google.protobuf.json_format import MessageToDict

    from libs.contracts.registry import UndecodableEvent, UnknownEvent, decode

    headers = message.headers or {}
    trace = headers.get("traceparent", "").split("-")
    data: object
    try:
        data = MessageToDict(decode(headers.get("ce-type", ""), message.data), preserving_proto_field_name=True)
    except (UnknownEvent, UndecodableEvent) as error:
        data = {"unreadable": str(error), "hex": message.data.hex()}
    return {
        "time": headers.get("ce-time"),
        "type": headers.get("ce-type"),
        "id": headers.get("ce-id"),
        "org": headers.get("ce-orgid"),
        "aggregate": headers.get("ce-subject"),
        "trace": trace[1] if len(trace) == 4 else None,
        "cause": headers.get("ce-causationid"),
        "data": data,
    }


def _full_names(given: Sequence[str] | None) -> list[str] | None:
    """Return the full names of event types that are given in full or by their last part. Raises StackError."""
    from libs.contracts.registry import all_events

    if not given:
        return None
    names = [event.name for event in all_events()]
    found = [name for name in names if name in given or name.rpartition(".")[2] in given]
    if missing := [one for one in given if not any(name == one or name.rpartition(".")[2] == one for name in found)]:
        raise StackError(f"There is no event type {', '.join(missing)}. There are: {', '.join(names)}.")
    return found


@asynccontextmanager
async def service_connection(service: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Connect to a service's database: the one that the environment names, else the running stack's."""
    import asyncpg

    url, password = service_database(service)
    try:
        connection = await asyncpg.connect(url, password=password, timeout=10)
    except (OSError, asyncpg.PostgresError) as error:
        name = f"ANTIPHON_{service.upper()}_DATABASE_URL"
        raise StackError(f"The database of {service} cannot be reached: {type(error).__name__}. Set {name}.") from None
    try:
        yield connection
    finally:
        await connection.close()
