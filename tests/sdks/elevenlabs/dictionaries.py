"""Pronunciation dictionaries."""

from __future__ import annotations

import io
from typing import Any
from uuid import uuid4

from tests.sdks.claiming import UNKNOWN_TO_THIS_VERSION, claims
from tests.sdks.elevenlabs.client import OLD, any_voice, client_of

PLS = b"""<?xml version="1.0" encoding="UTF-8"?>
<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en-US">
  <lexeme><grapheme>UN</grapheme><alias>United Nations</alias></lexeme>
  <lexeme><grapheme>tomato</grapheme><phoneme>t\xc9\x99\xcb\x88m\xc9\x91\xcb\x90t\xc9\x99\xca\x8a</phoneme></lexeme>
</lexicon>
"""


def _dictionaries(client: Any, version: str) -> Any:  # Any: either version
    return client.pronunciation_dictionary if version == OLD else client.pronunciation_dictionaries


def _add(client: Any, version: str, rules: list[dict[str, Any]]) -> Any:  # Any: either version
    found = _dictionaries(client, version)
    create = found.add_from_rules if version == OLD else found.create_from_rules
    return create(name=f"Rules {uuid4()}", rules=rules)


def _alias(phrase: str, alias: str) -> dict[str, Any]:  # Any: JSON
    return {"type": "alias", "string_to_replace": phrase, "alias": alias}


@claims(
    "POST /v1/pronunciation-dictionaries/add-from-rules",
    "GET /v1/pronunciation-dictionaries/{pronunciation_dictionary_id}",
    "GET /v1/pronunciation-dictionaries",
    "POST /v1/text-to-speech/{voice_id}",
)
def rules_change_what_is_spoken(given: dict[str, Any]) -> None:
    client = client_of(given)
    version = given["version"]
    phoneme = {"type": "phoneme", "string_to_replace": "tomato", "phoneme": "təˈmɑːtəʊ", "alphabet": "ipa"}
    made = _add(client, version, [_alias("ACME", "a company that makes everything"), phoneme])
    assert made.version_rules_num == 2
    found = _dictionaries(client, version)
    shown = found.get(pronunciation_dictionary_id=made.id)
    assert shown.latest_version_id == made.version_id
    listing = found.get_all if version == OLD else found.list
    assert made.id in [one.id for one in listing(page_size=100).pronunciation_dictionaries]
    voice_id = any_voice(client).voice_id

    def samples(**named: Any) -> int:  # Any: locators
        audio = client.text_to_speech.convert(voice_id, text="We are ACME.", output_format="pcm_16000", **named)
        return len(b"".join(audio))

    locator = {"pronunciation_dictionary_id": made.id, "version_id": made.version_id}
    assert samples(pronunciation_dictionary_locators=[locator]) > 1.3 * samples()


@claims(
    "POST /v1/pronunciation-dictionaries/{pronunciation_dictionary_id}/add-rules",
    "POST /v1/pronunciation-dictionaries/{pronunciation_dictionary_id}/remove-rules",
    "GET /v1/pronunciation-dictionaries/{dictionary_id}/{version_id}/download",
)
def rules_are_added_and_removed_in_new_versions(given: dict[str, Any]) -> None:
    client = client_of(given)
    version = given["version"]
    made = _add(client, version, [_alias("UN", "United Nations")])
    found = _dictionaries(client, version)
    rules = found if version == OLD else found.rules
    add = rules.add_rules if version == OLD else rules.add
    remove = rules.remove_rules if version == OLD else rules.remove
    more = add(made.id, rules=[_alias("EU", "European Union")])
    assert (more.version_rules_num, more.version_id != made.version_id) == (2, True)
    less = remove(made.id, rule_strings=["UN"])
    assert less.version_rules_num == 1
    download = found.download
    content = b"".join(download(dictionary_id=made.id, version_id=more.version_id))
    assert b"<grapheme>UN</grapheme>" in content
    assert b"<alias>European Union</alias>" in content


@claims("POST /v1/pronunciation-dictionaries/{pronunciation_dictionary_id}/set-rules")
def rules_are_replaced_as_a_whole(given: dict[str, Any]) -> str | None:
    if given["version"] == OLD:
        return UNKNOWN_TO_THIS_VERSION
    client = client_of(given)
    made = _add(client, given["version"], [_alias("UN", "United Nations")])
    rules = client.pronunciation_dictionaries.rules
    assert rules.set(made.id, rules=[_alias("EU", "European Union")]).version_rules_num == 1
    shown = client.pronunciation_dictionaries.get(made.id)
    assert [rule.string_to_replace for rule in shown.rules] == ["EU"]
    return None


@claims("POST /v1/pronunciation-dictionaries/add-from-file")
def a_lexicon_file_becomes_a_dictionary(given: dict[str, Any]) -> None:
    found = _dictionaries(client_of(given), given["version"])
    create = found.add_from_file if given["version"] == OLD else found.create_from_file
    assert create(name=f"File {uuid4()}", file=io.BytesIO(PLS)).version_rules_num == 2
