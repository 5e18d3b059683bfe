"""Records that many documents share, each asked for once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from invoiceapp.sources.base import NotFound, SourceChanged

from .client import BillyClient, Record
from .records import identity, text


@dataclass(slots=True)
class Cache:
    """Records by resource and id; None for one that Billy does not have."""

    client: BillyClient
    records: dict[tuple[str, str], Record | None] = field(default_factory=dict)

    def remember(self, resource: str, records: Iterable[Record]) -> None:
        """Keep what Billy sent anyway."""
        self.records.update(((resource, key), record) for record in records if (key := text(record, "id")))

    def has(self, resource: str, record_id: str) -> bool:
        """Whether ``get`` would answer without asking Billy."""
        return (resource, record_id) in self.records

    def get(self, resource: str, root: str, record_id: str | None) -> Record | None:
        """One record, asked for once; None where there is no id or Billy does not have it."""
        if record_id is None:
            return None
        key = (resource, record_id)
        if key not in self.records:
            try:
                self.records[key] = self.client.get_one(path_of(resource, record_id), root)
            except NotFound:
                self.records[key] = None
        return self.records[key]


def path_of(resource: str, record_id: str) -> str:
    """The path of one record. Raises ``NotFound`` for an id that no record can have."""
    try:
        return f"/{resource}/{identity({'id': record_id})}"
    except SourceChanged as error:
        raise NotFound(error.text, error.detail) from None
