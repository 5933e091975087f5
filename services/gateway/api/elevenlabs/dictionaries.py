"""ElevenLabs' pronunciation dictionaries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from libs.web.described import answered
from services.gateway.adapters.asking import Asking
from services.gateway.adapters.forms import FIELD_MAX_BYTES
from services.gateway.api.elevenlabs.forms import form_schema
from services.gateway.api.elevenlabs.speech import IGNORED
from services.gateway.api.parts import AskingOf
from services.gateway.domain.elevenlabs import dictionaries
from services.gateway.domain.elevenlabs.lexicon_files import read_lexicon, written_lexicon
from services.gateway.domain.failures import InvalidField, Refused

router = APIRouter(prefix="/v1/pronunciation-dictionaries")

PATH, TEMPLATE = "/v1/dictionaries", "/v1/dictionaries/{dictionary_id}"
RULES_MAX = 1000
REVISIONS_MOST = 20
"""How often a change is tried that others are quicker than; of so many at once each is done."""
_RULE = {"type": "alias", "string_to_replace": "UN", "alias": "United Nations"}
_FILE_FORM = form_schema(
    required=["name", "file"],
    name={"type": "string", "example": "Abbreviations"},
    file={"type": "string", "format": "binary"},
    description={"type": "string"},
)
Json = Mapping[str, Any]  # Any: JSON


class NewDictionary(BaseModel):
    """A dictionary to be made."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(examples=["Abbreviations"])
    description: str | None = None
    rules: list[dict[str, Any]] = Field(min_length=1, max_length=RULES_MAX, examples=[[_RULE]])  # Any: read one by one


class Rules(BaseModel):
    """Rules that are added, or that take the place of all others."""

    rules: list[dict[str, Any]] = Field(min_length=1, max_length=RULES_MAX, examples=[[_RULE]])  # Any: read one by one

    def ours(self) -> list[dict[str, Any]]:  # Any: rules in our words
        """Return them in our words; raises InvalidField."""
        return [dictionaries.our_rule(rule, position) for position, rule in enumerate(self.rules)]


class Phrases(BaseModel):
    """The phrases of which the rules go."""

    rule_strings: list[str] = Field(min_length=1, max_length=RULES_MAX, examples=[["UN"]])


async def _create(asking: Asking, name: str, description: str | None, rules: Sequence[Json]) -> Response:
    document = {"name": name, "description": description, "rules": rules}
    made = await asking.json("POST", "generation", PATH, document=document)
    return JSONResponse(dictionaries.created(made, len(rules)))


async def _get(asking: Asking, dictionary_id: str, version: int | None = None) -> Json:
    target = f"{PATH}/{dictionary_id}" + (f"?version={version}" if version else "")
    found: Json = await asking.json("GET", "generation", target, template=TEMPLATE)
    return found


async def _change(
    asking: Asking, dictionary_id: str, rules: Sequence[Json], after: int | None = None
) -> dict[str, Any]:  # Any: JSON
    target = f"{PATH}/{dictionary_id}/versions"
    document = {"rules": rules} | ({} if after is None else {"after_version": after})
    changed = await asking.json("POST", "generation", target, template=f"{TEMPLATE}/versions", document=document)
    return dictionaries.changed(changed, len(rules))


async def _revise(
    asking: Asking, dictionary_id: str, revised: Callable[[Sequence[Json]], Sequence[Json]]
) -> dict[str, Any]:  # Any: JSON
    """Make a version of what the newest has; once more when somebody else made one meanwhile, whose rules stay."""
    tried = 0
    while True:
        present = await _get(asking, dictionary_id)
        try:
            return await _change(asking, dictionary_id, revised(present["rules"]), present["version"])
        except Refused as refusal:
            tried += 1
            if refusal.code != "dictionary_changed" or tried == REVISIONS_MOST:
                raise


@router.post("/add-from-rules")
async def elevenlabs_add_from_rules(wanted: NewDictionary, asking: AskingOf) -> Response:
    """Make a dictionary of rules: aliases, and phonemes in IPA."""
    rules = [dictionaries.our_rule(rule, position) for position, rule in enumerate(wanted.rules)]
    return await _create(asking, wanted.name, wanted.description, rules)


@router.post("/add-from-file", openapi_extra=_FILE_FORM)
async def elevenlabs_add_from_file(request: Request, asking: AskingOf) -> Response:
    """Make a dictionary of a PLS file (a form: `name`, `file`, `description`)."""
    async with request.form(max_files=1, max_fields=10, max_part_size=FIELD_MAX_BYTES) as form:
        name, description, file = form.get("name"), form.get("description"), form.get("file")
        content = await file.read() if isinstance(file, UploadFile) else b""
    if not isinstance(name, str) or not name:
        raise InvalidField("name", "is needed")
    if not content:
        raise InvalidField("file", "is needed: a PLS file with lexemes")
    described = description if isinstance(description, str) and description != "null" else None
    return await _create(asking, name, described, read_lexicon(content))


class ListQuery(BaseModel):
    """Which page; what finds nothing here is ignored, and `Antiphon-Ignored` names it."""

    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before.")
    page_size: int = Field(30, ge=1, le=100, description="How many dictionaries a page has at most.")
    sort: str | None = Field(None, description="Ignored: the newest is always the first.")
    sort_direction: str | None = Field(None, description="Ignored, too.")
    include_archived: bool | None = Field(None, description="Without effect: none is ever archived.")


@router.get("")
@router.get("/", include_in_schema=False)
async def elevenlabs_list_dictionaries(wanted: Annotated[ListQuery, Query()], asking: AskingOf) -> Response:
    """List the dictionaries, newest first."""
    query = {"limit": wanted.page_size} | ({"cursor": wanted.cursor} if wanted.cursor else {})
    page = await asking.json("GET", "generation", f"{PATH}?{urlencode(query)}", template=PATH)
    found = await asyncio.gather(*(_get(asking, one["id"]) for one in page["items"]))
    document = {
        "pronunciation_dictionaries": [dictionaries.metadata(one, len(one["rules"])) for one in found],
        "next_cursor": page["next_cursor"],
        "has_more": page["next_cursor"] is not None,
    }
    ignored = [name for name in ("sort", "sort_direction") if getattr(wanted, name) is not None]
    return JSONResponse(document, headers={IGNORED: ", ".join(ignored)} if ignored else {})


@router.get("/{dictionary_id}")
@router.get("/{dictionary_id}/", include_in_schema=False)
async def elevenlabs_get_dictionary(dictionary_id: str, asking: AskingOf) -> dict[str, Any]:  # Any: JSON
    """Return a dictionary with its newest rules."""
    found = await _get(asking, dictionary_id)
    rules = [dictionaries.their_rule(rule) for rule in found["rules"]]
    return dictionaries.metadata(found, len(rules)) | {"rules": rules}


@router.post("/{dictionary_id}/add-rules")
async def elevenlabs_add_rules(dictionary_id: str, wanted: Rules, asking: AskingOf) -> dict[str, Any]:  # Any: JSON
    """Make a version with more rules; one for the same phrase takes the place of that."""
    added = wanted.ours()
    return await _revise(asking, dictionary_id, lambda present: dictionaries.with_rules(present, added))


@router.post("/{dictionary_id}/set-rules")
async def elevenlabs_set_rules(dictionary_id: str, wanted: Rules, asking: AskingOf) -> dict[str, Any]:  # Any: JSON
    """Make a version with these rules alone."""
    return await _change(asking, dictionary_id, wanted.ours())


@router.post("/{dictionary_id}/remove-rules")
async def elevenlabs_remove_rules(dictionary_id: str, wanted: Phrases, asking: AskingOf) -> dict[str, Any]:  # Any: JSON
    """Make a version without the rules of some phrases; one rule at least stays."""
    gone = wanted.rule_strings
    return await _revise(asking, dictionary_id, lambda present: dictionaries.without_rules(present, gone))


@router.get(
    "/{dictionary_id}/{version_id}/download",
    response_class=Response,
    responses=answered(200, content=["application/pls+xml"]),
)
async def elevenlabs_download_dictionary(dictionary_id: str, version_id: str, asking: AskingOf) -> Response:
    """Return a version as a PLS file."""
    found = await _get(asking, dictionary_id, dictionaries.version_number(version_id))
    headers = {"content-disposition": f'attachment; filename="{dictionary_id}_{version_id}.pls"'}
    return Response(written_lexicon(found["rules"]), media_type="application/pls+xml", headers=headers)
