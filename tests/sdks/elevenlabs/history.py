"""What was spoken, and what was used."""

from __future__ import annotations

import io
import time
import zipfile
from functools import partial
from typing import Any

from tests.sdks.claiming import claims, failure_of
from tests.sdks.elevenlabs.client import OLD, ApiError, any_voice, client_of, is_id


def _speak(client: Any, text: str, **wanted: Any) -> bytes:  # Any: either version, and what it takes
    return b"".join(client.text_to_speech.convert(any_voice(client).voice_id, text=text, **wanted))


def _list(client: Any, **wanted: Any) -> Any:  # Any: either version
    listing = getattr(client.history, "list", None) or client.history.get_all
    return listing(**wanted)


def _found(client: Any, text: str) -> Any:  # Any: either version
    """Return the item of a text that is among the newest."""
    return next(item for item in _list(client, page_size=20).history if item.text == text)


@claims("GET /v1/history")
def what_was_spoken_is_listed_newest_first_page_by_page(given: dict[str, Any]) -> None:
    client = client_of(given)
    texts = [f"Page {number} of {given['version']}." for number in range(5)]
    for text in texts:
        _speak(client, text)
    seen: list[str] = []
    after: dict[str, str] = {}
    for _ in range(20):
        page = _list(client, page_size=2, **after)
        seen += [item.text for item in page.history]
        if not page.has_more or len(seen) >= 5:
            break
        after = {"start_after_history_item_id": page.last_history_item_id}
    assert seen[:5] == texts[::-1], seen
    item = _list(client, page_size=1).history[0]
    assert is_id(item.history_item_id)
    assert item.date_unix > time.time() - 300
    assert (item.character_count_change_from, item.content_type, item.state) == (0, "audio/mpeg", "created")


@claims("GET /v1/history")
def paging_goes_on_behind_an_item_that_was_deleted(given: dict[str, Any]) -> None:
    client = client_of(given)
    for number in range(3):
        _speak(client, f"Deleted {number} of {given['version']}.")
    first = _list(client, page_size=1)
    client.history.delete(first.last_history_item_id)
    second = _list(client, page_size=1, start_after_history_item_id=first.last_history_item_id)
    assert second.history[0].text == f"Deleted 1 of {given['version']}."


@claims("GET /v1/history/{history_item_id}", "GET /v1/history/{history_item_id}/audio")
def an_item_has_its_audio_and_its_times(given: dict[str, Any]) -> None:
    client = client_of(given)
    text = f"Listen again, {given['version']}."
    audio = _speak(client, text)
    found = _found(client, text)
    item = client.history.get(found.history_item_id)
    assert (item.text, item.voice_name) == (text, "Emma")
    times = item.alignments.alignment
    assert "".join(times.characters) == text
    assert b"".join(client.history.get_audio(item.history_item_id)) == audio


@claims("POST /v1/history/download")
def one_item_is_downloaded_as_it_is_and_several_as_an_archive(given: dict[str, Any]) -> None:
    client = client_of(given)
    texts = [f"Load {number}, {given['version']}." for number in (1, 2)]
    audio = [_speak(client, text) for text in texts]
    ids = [_found(client, text).history_item_id for text in texts]
    assert b"".join(client.history.download(history_item_ids=ids[:1])) == audio[0]
    content = b"".join(client.history.download(history_item_ids=ids))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.read(name) for name in archive.namelist()) == sorted(audio)


@claims("DELETE /v1/history/{history_item_id}")
def a_deleted_item_is_gone(given: dict[str, Any]) -> None:
    client = client_of(given)
    text = f"Delete me, {given['version']}."
    _speak(client, text)
    item = _found(client, text).history_item_id
    client.history.delete(item)
    failure = failure_of(partial(client.history.get, item), ApiError)
    assert failure.status_code == 404
    assert failure.body["detail"]["status"] == "history_item_not_found"


@claims("GET /v1/models")
def models_are_a_bare_list(given: dict[str, Any]) -> None:
    models = client_of(given).models
    found = (models.get_all if given["version"] == OLD else models.list)()
    assert any(model.can_do_text_to_speech and model.languages for model in found)


@claims("GET /v1/user", "GET /v1/user/subscription")
def the_plan_says_what_is_left(given: dict[str, Any]) -> None:
    client = client_of(given)
    user = client.user.get()
    plan = client.user.get_subscription() if given["version"] == OLD else client.user.subscription.get()
    assert user.subscription.tier == plan.tier == "enterprise"
    assert 0 <= plan.character_count < plan.character_limit
    assert plan.next_character_count_reset_unix > time.time()
    assert plan.status == "active"


@claims("GET /v1/usage/character-stats")
def use_is_told_by_day_in_milliseconds(given: dict[str, Any]) -> None:
    client = client_of(given)
    now = int(time.time() * 1000)
    usage = client.usage
    get = usage.get_characters_usage_metrics if given["version"] == OLD else usage.get
    day = 86_400_000
    stats = get(start_unix=now - 6 * day, end_unix=now)
    assert [later - earlier for earlier, later in zip(stats.time, stats.time[1:], strict=False)] == [day] * 6
    assert stats.time[-1] <= now < stats.time[-1] + day
    assert len(stats.usage["All"]) == 7
    list(client.text_to_speech.convert(voice_id=any_voice(client).voice_id, text="Counted for its voice."))
    deadline = time.monotonic() + 20
    while True:
        by_voice = get(start_unix=now - 6 * day, end_unix=now, breakdown_type="voice").usage
        if any_voice(client).voice_id in by_voice or time.monotonic() > deadline:
            break
    assert len(by_voice[any_voice(client).voice_id]) == 7
    assert by_voice[any_voice(client).voice_id][-1] > 0
