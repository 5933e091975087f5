"""Use by days and hours of any time zone, by voices, keys, users and formats; all of it equal to the ledger."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from libs.contracts.antiphon.generation.v1.events_pb2 import GenerationCompleted
from libs.ids import new_id
from services.analytics.consumers import record_usage
from services.analytics.domain.whose import Whose
from tests.integration.analytics.conftest import Books, Reports

VOICES = sorted(new_id() for _ in range(3))
KEYS = sorted(new_id() for _ in range(2))
USERS = dict(zip(KEYS, (None, new_id()), strict=True))
FORMATS = ("mp3_44100_128", "wav")


def spoken_at(books: Books, moments: list[datetime]) -> list[GenerationCompleted]:
    return [books.completed(characters=number, at=moment) for number, moment in enumerate(moments, 1)]


def each_quarter(begin: datetime, days: int) -> list[datetime]:
    return [begin + number * timedelta(minutes=15) for number in range(days * 96)]


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Europe/Berlin", date(2026, 3, 28)),  # A day of 23 hours on the 29th.
        ("Europe/Berlin", date(2026, 10, 24)),  # One of 25 on the 25th.
        ("Asia/Kolkata", date(2026, 5, 1)),
        ("America/St_Johns", date(2026, 3, 7)),
        ("America/St_Johns", date(2026, 10, 31)),
        ("Asia/Kathmandu", date(2026, 5, 1)),
        ("America/Havana", date(2026, 10, 31)),  # Midnight comes twice there.
    ],
)
async def test_days_and_hours_are_those_of_the_zone(books: Books, reports: Reports, zone: str, first: date) -> None:
    clock = ZoneInfo(zone)
    before = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1)
    events = spoken_at(books, each_quarter(before, 5))
    await books.apply(record_usage, *events)
    days: dict[str, int] = {}
    hours: dict[str, int] = {}
    for number, moment in enumerate(each_quarter(before, 5), 1):
        local = moment.astimezone(clock)
        if not first <= local.date() <= first + timedelta(days=2):
            continue
        days[local.date().isoformat()] = days.get(local.date().isoformat(), 0) + number
        hour = local.replace(minute=0).isoformat()
        hours[hour] = hours.get(hour, 0) + number
    span = {"from_": first, "to": first + timedelta(days=2), "tz": zone}
    found = await reports.usage(**span)
    assert {item["date"]: item["characters"] for item in found["items"]} == days
    assert found["totals"]["characters"] == sum(days.values())
    assert found["tz"] == zone
    by_hour = await reports.items(**span, group_by="hour", limit=50)
    assert {datetime.fromisoformat(item["hour"]).isoformat(): item["characters"] for item in by_hour} == hours
    assert sum(item["characters"] for item in by_hour) == sum(days.values())


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
async def test_the_day_of_a_change_of_clocks_has_its_own_length(
    books: Books, reports: Reports, day: date, hours: int
) -> None:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    await books.apply(record_usage, *spoken_at(books, each_quarter(begin, 3)))
    span = {"from_": day, "to": day, "tz": "Europe/Berlin"}
    assert (await reports.usage(**span))["totals"]["generations"] == 4 * hours
    assert len(await reports.items(**span, group_by="hour")) == hours


async def test_where_clocks_go_back_by_half_an_hour_the_day_is_as_much_longer(books: Books, reports: Reports) -> None:
    await books.apply(record_usage, *spoken_at(books, each_quarter(datetime(2026, 4, 4, tzinfo=UTC), 2)))
    span = {"from_": "2026-04-05", "to": "2026-04-05", "tz": "Australia/Lord_Howe"}
    assert (await reports.usage(**span))["totals"]["generations"] == 98
    assert sum(item["generations"] for item in await reports.items(**span, group_by="hour")) == 98


async def test_every_zone_of_the_database_keeps_to_quarters_of_hours(books: Books) -> None:
    odd = "select count(*) from pg_timezone_names where extract(epoch from utc_offset)::integer % 900 <> 0"
    assert await books.value(odd) == 0
    assert await books.value("select count(*) from pg_timezone_names where name = 'Europe/Berlin'") == 1


async def some_use(books: Books, count: int = 300) -> list[GenerationCompleted]:
    """Use over ten days by everybody for everything, told in large and small batches, some of it twice."""
    drawn = random.Random(7)
    events = []
    for number in range(count):
        key = drawn.choice([None, *KEYS])
        user = USERS[key] if key else None
        whose = Whose(drawn.choice([None, *VOICES]), key, user, drawn.choice(FORMATS))
        at = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(minutes=drawn.randrange(14_400))
        event = books.completed(characters=number + 5, seconds=drawn.randrange(10_000) / 1000, at=at, whose=whose)
        event.characters_spoken = drawn.choice([0, 3, event.characters])
        events.append(event)
    told = [*events, *events[::3]]
    drawn.shuffle(told)
    while told:
        size = drawn.choice([1, 7, 90])
        await books.apply(record_usage, *told[:size])
        told = told[size:]
    return events


SPAN = {"from_": "2026-02-01", "to": "2026-02-10"}
_GROUPS = {
    "day": "(created_at at time zone '{zone}')::date::text",
    "voice": "voice_id::text",
    "key": "key_id::text",
    "user": "user_id::text",
    "format": "format",
}
_FIELDS = {"day": "date", "voice": "voice_id", "key": "key_id", "user": "user_id", "format": "format"}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
async def test_groups_say_what_the_ledger_says(books: Books, reports: Reports, zone: str) -> None:
    await some_use(books, 120)
    for asked in ("day", "voice", "key", "user", "format", "day,voice", "voice,day", "user,key"):
        names = asked.split(",")
        columns = ", ".join(_GROUPS[name].format(zone=zone) for name in names)
        numbers = ", ".join(str(number) for number, _ in enumerate(names, 1))
        ledger = f"""
            select {columns}, sum(quantity) filter (where unit = 'characters') as characters,
                sum(quantity) filter (where unit = 'audio_seconds') as seconds,
                count(*) filter (where unit = 'characters') as generations,
                coalesce(sum(quantity) filter (where unit = 'characters_cached'), 0) as cached
            from usage_metrics where org_id = :org and (created_at at time zone '{zone}')::date <= '2026-02-10'
            group by {numbers}
        """  # noqa: S608 - the names stand above
        async with books.database.transaction(books.org_id) as session:
            rows = (await session.execute(text(ledger), {"org": books.org_id})).all()
        items = await reports.items(**SPAN, tz=zone, group_by=asked, limit=7)
        assert {_as_row(names, item) for item in items} == {tuple(row) for row in rows}
        assert len(items) == len(rows)
        keys = [tuple(item[_FIELDS[name]] or "" for name in names) for item in items]
        assert keys == sorted(keys)
        totals = (await reports.usage(**SPAN, tz=zone, group_by=asked, limit=1))["totals"]
        assert totals["characters"] == sum(item["characters"] for item in items)
        assert totals["generations"] == sum(item["generations"] for item in items)


def _as_row(names: list[str], item: dict[str, Any]) -> tuple[object, ...]:
    seconds = Decimal(str(item["audio_seconds"]))
    keys = (item[_FIELDS[name]] for name in names)
    return (*keys, item["characters"], seconds, item["generations"], item["characters_cached"])


async def test_filters_leave_out_the_rest(books: Books, reports: Reports) -> None:
    events = await some_use(books)
    wanted = [one for one in events if one.voice_id == str(VOICES[0]) and one.format == "wav"]
    found = await reports.usage(**SPAN, voice_id=VOICES[0], audio_format="wav")
    assert found["totals"]["generations"] == len(wanted)
    by_key = await reports.items(**SPAN, key_id=KEYS[1], group_by="key")
    assert [item["key_id"] for item in by_key] == [str(KEYS[1])]
    of_nobody = await reports.usage(**SPAN, user_id=new_id())
    assert (of_nobody["items"], of_nobody["totals"]["characters"]) == ([], 0)
    cached = await reports.items(**SPAN, group_by="hour", unit="characters_cached")
    assert cached
    assert all(item["characters_cached"] > 0 for item in cached)
    everything = await reports.items(**SPAN, group_by="hour")
    assert len(cached) < len(everything)


async def test_the_groups_by_day_in_utc_are_those_that_were_always_told(books: Books, reports: Reports) -> None:
    await some_use(books)
    added_up = await reports.usage(**SPAN)
    of_quarters = await reports.usage(**SPAN, tz="Etc/UTC")
    assert added_up["items"] == of_quarters["items"]
    assert added_up["totals"] == of_quarters["totals"]
    assert set(added_up["items"][0]) == {"date", "characters", "audio_seconds", "generations", "characters_cached"}


async def test_a_page_of_days_goes_on_where_it_ended(books: Books, reports: Reports) -> None:
    await some_use(books)
    assert await reports.items(**SPAN, limit=3) == (await reports.usage(**SPAN))["items"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"tz": "Mars/Olympus"}, "tz"),
        ({"tz": "localtime"}, "tz"),
        ({"tz": "FOO+0:07"}, "tz"),
        ({"tz": "a\0b"}, "tz"),
        ({"group_by": "planet"}, "group_by"),
        ({"group_by": ""}, "group_by"),
        ({"group_by": "day,hour"}, "group_by"),
        ({"group_by": "voice,voice"}, "group_by"),
        ({"group_by": "voice,key,user"}, "group_by"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "WyJhIl0", "group_by": "voice,key"}, "cursor"),
        ({"voice_id": "me"}, "voice_id"),
        ({"unit": "cups"}, "unit"),
        ({"limit": "0"}, "limit"),
    ],
)
async def test_what_cannot_be_asked_names_the_field(reports: Reports, params: dict[str, str], field: str) -> None:
    status, answer = await reports.ask(**params)
    assert (status, answer["code"]) == (422, "invalid_request")
    assert answer["errors"][0]["field"] == field
