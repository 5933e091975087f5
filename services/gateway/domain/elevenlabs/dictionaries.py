"""Pronunciation dictionaries: their rules and ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.gateway.domain.failures import InvalidField

_KINDS = {"alias": "alias", "phoneme": "ipa"}


def version_number(version_id: str) -> int:
    """Return the number of a version by its id; raises InvalidField."""
    if not (version_id.isascii() and version_id.isdigit() and 0 < int(version_id[:10]) < 2**31):
        raise InvalidField("version_id", "is no version of a dictionary; the dictionary names its newest")
    return int(version_id)


def our_rule(rule: Mapping[str, Any], position: int = 0) -> dict[str, Any]:  # Any: JSON
    """Return a rule in our words; raises InvalidField for sounds in another alphabet than IPA."""
    where = f"rules.{position}"
    kind = rule.get("type")
    if kind not in _KINDS:
        raise InvalidField(f"{where}.type", "is alias or phoneme")
    if kind == "phoneme" and str(rule.get("alphabet", "")).lower() != "ipa":
        raise InvalidField(f"{where}.alphabet", 'only "ipa" is spoken; write the sounds in it')
    replacement = rule.get("alias" if kind == "alias" else "phoneme")
    if not isinstance(replacement, str) or not isinstance(rule.get("string_to_replace"), str):
        raise InvalidField(where, f"needs string_to_replace and {'alias' if kind == 'alias' else 'phoneme'} as texts")
    switches = {"case_sensitive": "case_sensitive", "word_boundaries": "whole_words"}
    return {
        "kind": _KINDS[str(kind)],
        "phrase": rule["string_to_replace"],
        "replacement": replacement,
        **{ours: rule[theirs] for theirs, ours in switches.items() if rule.get(theirs) is not None},
    }


def their_rule(rule: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return one of our rules in their words."""
    replaced = {
        "string_to_replace": rule["phrase"],
        "case_sensitive": rule["case_sensitive"],
        "word_boundaries": rule["whole_words"],
    }
    if rule["kind"] == "alias":
        return {"type": "alias", **replaced, "alias": rule["replacement"]}
    return {"type": "phoneme", **replaced, "phoneme": rule["replacement"], "alphabet": "ipa"}


def with_rules(
    present: Sequence[Mapping[str, Any]], added: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:  # Any: rules in our words
    """Return the rules of the next version: an added one takes the place of one for the same phrase."""
    replaced = {rule["phrase"] for rule in added}
    return [*(rule for rule in present if rule["phrase"] not in replaced), *added]


def without_rules(
    present: Sequence[Mapping[str, Any]], phrases: Iterable[str]
) -> list[Mapping[str, Any]]:  # Any: rules in our words
    """Return the rules of the next version; raises InvalidField when none would be left."""
    removed = set(phrases)
    left = [rule for rule in present if rule["phrase"] not in removed]
    if not left:
        raise InvalidField("rule_strings", "leaves no rule; delete the dictionary at DELETE /v1/dictionaries/{id}")
    return left


def unix_seconds(moment: str) -> int:
    """Return a moment as our JSON writes it as seconds since 1970."""
    return int(datetime.fromisoformat(moment).timestamp())


def metadata(dictionary: Mapping[str, Any], rules: int) -> dict[str, Any]:  # Any: JSON
    """Return what a list says of a dictionary of which the newest version has so many rules."""
    return {
        "id": dictionary["id"],
        "name": dictionary["name"],
        "description": dictionary["description"],
        "latest_version_id": str(dictionary["version"]),
        "latest_version_rules_num": rules,
        "permission_on_resource": "admin",
        "created_by": "",
        "creation_time_unix": unix_seconds(dictionary["created_at"]),
        "archived_time_unix": None,
    }


def created(dictionary: Mapping[str, Any], rules: int) -> dict[str, Any]:  # Any: JSON
    """Return what is said of a dictionary that was just made."""
    return {
        "id": dictionary["id"],
        "name": dictionary["name"],
        "description": dictionary["description"],
        "created_by": "",
        "creation_time_unix": unix_seconds(dictionary["created_at"]),
        "version_id": str(dictionary["version"]),
        "version_rules_num": rules,
        "permission_on_resource": "admin",
    }


def changed(dictionary: Mapping[str, Any], rules: int) -> dict[str, Any]:  # Any: JSON
    """Return what is said of a dictionary's new version."""
    return {"id": dictionary["id"], "version_id": str(dictionary["version"]), "version_rules_num": rules}
