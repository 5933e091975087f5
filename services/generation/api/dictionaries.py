"""Pronunciation dictionaries: how words are to be spoken, in versions that requests name."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from libs.database import Cursor, page_of
from libs.messaging import inbox
from libs.speech.text.dictionary import LONGEST_PHRASE, LONGEST_REPLACEMENT, Lexicon, Rule
from libs.web import CallerOf, OnceOf, PathId, Storable, answered, header, id_for, told
from services.generation.api import problems
from services.generation.api.parts import DepsOf, Version
from services.generation.api.parts import dictionary_id as as_id
from services.generation.domain.errors import DictionaryChanged
from services.generation.domain.requests import DictionaryVersion
from services.generation.store import dictionaries

router = APIRouter()

RULES_MAX = 1000
CREATE_DICTIONARY = "generation-create_dictionary"
ADD_DICTIONARY_VERSION = "generation-add_dictionary_version"
"""What the inbox remembers of requests that are to be done once, so that a repetition changes nothing."""


class RuleView(BaseModel):
    """A phrase and what is spoken in its place: other words (alias), or sounds (ipa)."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["alias", "ipa"] = "alias"
    phrase: Storable = Field(min_length=1, max_length=LONGEST_PHRASE, pattern=r"\S", examples=["Antiphon"])
    replacement: Storable = Field(min_length=1, max_length=LONGEST_REPLACEMENT, pattern=r"\S", examples=["an tee fon"])
    case_sensitive: StrictBool = True
    whole_words: StrictBool = True

    @model_validator(mode="after")
    def _is_understood(self) -> RuleView:
        Lexicon([Rule(**self.model_dump())])
        return self


class NewDictionary(BaseModel):
    """A dictionary to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Storable = Field(min_length=1, max_length=100, examples=["Names"])
    description: Storable | None = Field(default=None, max_length=500)
    rules: list[RuleView] = Field(min_length=1, max_length=RULES_MAX)


class NewVersion(BaseModel):
    """The rules of a dictionary's next version: all of them."""

    model_config = ConfigDict(extra="forbid")

    rules: list[RuleView] = Field(min_length=1, max_length=RULES_MAX)
    after_version: Version | None = Field(
        default=None, description="Which version the rules were made of: 409 if there is a newer one by now."
    )


class DictionaryView(BaseModel):
    """A dictionary; `version` is its newest."""

    id: UUID
    name: str = Field(examples=["Names"])
    description: str | None = Field(examples=["How our products are called."])
    version: int
    created_at: datetime
    updated_at: datetime


class DictionaryWithRules(DictionaryView):
    """A dictionary with the rules of one version."""

    rules: list[RuleView]


class DictionaryList(BaseModel):
    """One page of dictionaries, newest first."""

    items: list[DictionaryView]
    next_cursor: str | None


VersionOf = Annotated[Version | None, Query(description="Which version's rules; the newest unless given.")]
_LOCATION = header("The dictionary.", "/v1/dictionaries/01990a6e-7b1c-7d5e-9f0a-3c5b8e2d4f61")
_MADE = answered(201, "The dictionary", headers={"Location": _LOCATION}) | told(problems.NAME_TAKEN)
_UNKNOWN = told(problems.NO_DICTIONARY)


def _view(dictionary: dictionaries.Dictionary) -> DictionaryView:
    return DictionaryView(**{name: getattr(dictionary, name) for name in DictionaryView.model_fields})


@router.post("/v1/dictionaries", status_code=HTTP_201_CREATED, responses=_MADE)
async def create_dictionary(
    new: NewDictionary, caller: CallerOf, deps: DepsOf, response: Response, once: OnceOf
) -> DictionaryView:
    """Make a pronunciation dictionary; a request may name up to three, whose rules apply in their order."""
    made = id_for(once)
    async with deps.database.transaction(caller.org_id) as session:
        if once is None or await inbox.is_new(session, CREATE_DICTIONARY, once.resource_id):
            await dictionaries.insert_dictionary(
                session,
                made,
                caller.org_id,
                name=new.name,
                description=new.description,
                rules=[rule.model_dump() for rule in new.rules],
            )
        dictionary = await dictionaries.get_dictionary(session, caller.org_id, made)
    response.headers["Location"] = f"/v1/dictionaries/{made}"
    return _view(dictionary)


@router.get("/v1/dictionaries")
async def list_dictionaries(
    caller: CallerOf, deps: DepsOf, limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: str | None = None
) -> DictionaryList:
    """List the organisation's dictionaries, newest first."""
    after = Cursor.decode(cursor) if cursor else None
    async with deps.database.transaction(caller.org_id) as session:
        rows = await dictionaries.list_dictionaries(session, caller.org_id, after=after, limit=limit)
    page = page_of(rows, limit, lambda row: Cursor(row.created_at, row.id))
    return DictionaryList(items=[_view(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/v1/dictionaries/{dictionary_id}", responses=_UNKNOWN)
async def get_dictionary(
    dictionary_id: PathId, caller: CallerOf, deps: DepsOf, version: VersionOf = None
) -> DictionaryWithRules:
    """Return a dictionary with the rules of its newest version, or of the one that is asked for."""
    wanted = as_id(dictionary_id)
    async with deps.database.transaction(caller.org_id) as session:
        dictionary = await dictionaries.get_dictionary(session, caller.org_id, wanted)
        which = DictionaryVersion(wanted, version or dictionary.version)
        (rules,) = await dictionaries.get_rules(session, caller.org_id, [which])
    return DictionaryWithRules(**_view(dictionary).model_dump(), rules=[RuleView(**rule) for rule in rules])


@router.post(
    "/v1/dictionaries/{dictionary_id}/versions",
    status_code=HTTP_201_CREATED,
    responses=told(problems.NO_DICTIONARY, problems.dictionary_changed(DictionaryChanged(3))),
)
async def add_dictionary_version(
    dictionary_id: PathId, new: NewVersion, caller: CallerOf, deps: DepsOf, once: OnceOf
) -> DictionaryView:
    """Add a version; those before it stay for the requests that name them."""
    wanted = as_id(dictionary_id)
    async with deps.database.transaction(caller.org_id) as session:
        if once is None or await inbox.is_new(session, ADD_DICTIONARY_VERSION, once.resource_id):
            rules = [rule.model_dump() for rule in new.rules]
            await dictionaries.add_version(session, wanted, caller.org_id, rules, after=new.after_version)
        dictionary = await dictionaries.get_dictionary(session, caller.org_id, wanted)
    return _view(dictionary)


@router.delete("/v1/dictionaries/{dictionary_id}", status_code=HTTP_204_NO_CONTENT, responses=_UNKNOWN)
async def delete_dictionary(dictionary_id: PathId, caller: CallerOf, deps: DepsOf) -> None:
    """Delete a dictionary with all its versions; what was spoken with it stays."""
    async with deps.database.transaction(caller.org_id) as session:
        await dictionaries.delete_dictionary(session, caller.org_id, as_id(dictionary_id))
