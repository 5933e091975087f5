"""Which chunks a search may find, as SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import orjson

from services.embedding.domain import SourceType


class Arguments(list[object]):
    """The arguments of a statement, by their places in it."""

    def put(self, value: object) -> str:
        """Add one; return how the statement refers to it."""
        self.append(value)
        return f"${len(self)}"

    def copy(self) -> Arguments:
        """Return the same, to which others are added."""
        return Arguments(self)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search may find: an organisation's documents and everybody's, of some types or (None) of all.

    `source_ids` are of those types; `metadata` is what a document must say of itself; `since` and `until` are when its
    chunks were made.
    """

    org_id: UUID
    source_types: Sequence[SourceType] | None
    source_ids: Sequence[str] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_narrowed(self) -> bool:
        """Whether more is asked of chunks than to belong to the organisation and the types."""
        return bool(self.source_ids or self.metadata or self.since or self.until)

    @property
    def types(self) -> list[str] | None:
        """As the database's functions take it; they see to the organisation themselves."""
        return [str(kind) for kind in self.source_types] if self.source_types else None

    def condition(self, arguments: Arguments) -> str:
        """What chunks have to fulfil."""
        conditions = [f"(chunks.org_id = {arguments.put(self.org_id)} or chunks.org_id is null)"]
        if self.source_types:
            conditions.append(f"chunks.source_type = any({arguments.put(self.types)}::text[])")
        return " and ".join([*conditions, *self.narrowing(arguments)])

    def narrowing(self, arguments: Arguments) -> list[str]:
        """What chunks have to fulfil besides belonging to the organisation and the types."""
        conditions = []
        if self.source_ids:
            named = arguments.put(list(self.source_ids))
            conditions.append(
                f"chunks.document_id in (select id from documents where source_id = any({named}::text[]))"  # noqa: S608
            )
        if self.metadata:
            conditions.append(f"chunks.metadata @> {arguments.put(self.metadata_text)}::jsonb")
        if self.since is not None:
            conditions.append(f"chunks.created_at >= {arguments.put(self.since)}")
        if self.until is not None:
            conditions.append(f"chunks.created_at < {arguments.put(self.until)}")
        return conditions

    @property
    def metadata_text(self) -> str | None:
        """As the database takes it; None where nothing is asked of it."""
        return orjson.dumps(dict(self.metadata)).decode() if self.metadata else None
