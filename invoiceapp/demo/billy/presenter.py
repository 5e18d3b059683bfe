"""Turns stored records into what goes over the wire: side-loading, embedding, rotating addresses, faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .downloads import Downloads
from .faults import Faults
from .records import Record
from .resources import BY_SINGULAR, RESOURCES, Relation, Resource
from .store import Store

#: Embedding may go in circles (line in invoice in line …); real answers stop early, too.
_MAX_DEPTH = 4

#: (resource, property) to ``embed`` or ``sideload``.
Include = dict[tuple[str, str], str]

#: Makes a one-time address from a file name and a token.
Address = Callable[[str, str], str]


def parse_include(text: str) -> Include:
    """``invoice.lines:embed,invoice.contact`` by resource and property; what is unknown is left out."""
    result: Include = {}
    for item in filter(None, text.split(",")):
        path, _, mode = item.strip().partition(":")
        singular, _, name = path.partition(".")
        resource = BY_SINGULAR.get(singular)
        if resource is not None and name in resource.relations and mode in ("", "embed", "sideload"):
            result[resource.plural, name] = mode or "sideload"
    return result


@dataclass(slots=True)
class Presenter:
    """Presents the records of one answer and collects what they side-load."""

    store: Store
    faults: Faults
    downloads: Downloads
    address: Address
    include: Include = field(default_factory=dict)
    sideloads: dict[str, dict[str, Record]] = field(default_factory=dict)
    """Plural name to presented records by id"""

    def present(self, resource: Resource, record: Record, depth: int = 0) -> Record:
        """A record as JSON has it."""
        result = self._plain(resource, record)
        if depth < _MAX_DEPTH:
            for name, relation in resource.relations.items():
                mode = self.include.get((resource.plural, name))
                if mode is not None:
                    self._relate(result, name, relation, mode, depth)
        return result

    def _plain(self, resource: Resource, record: Record) -> Record:
        if resource.plural == "invoices":
            result = self.faults.invoice(record)
            if result["downloadUrl"] is not None:
                result["downloadUrl"] = self._download(resource, record["id"], result["downloadUrl"])
        elif resource.plural == "invoiceLines":
            result = self.faults.line(record, self.store.tables["invoices"][record["invoiceId"]])
        elif resource.plural == "files":
            size = len(self.store.file_content("files", record["id"]))
            url = self._download(resource, record["id"], record["fileName"])
            result = record | {"fileSize": size, "downloadUrl": url}
        else:
            result = dict(record)
        if "organizationId" in result:
            result["organizationId"] = self.faults.organization(self.store.organization)["id"]
        return result

    def _download(self, resource: Resource, key: str, file_name: str) -> str:
        return self.address(file_name, self.downloads.issue(resource.plural, key))

    def _relate(self, result: Record, name: str, relation: Relation, mode: str, depth: int) -> None:
        if relation.foreign_key is not None:
            self._has_many(result, name, relation, relation.foreign_key, mode, depth)
        elif mode == "embed":
            related = self._related(result.pop(f"{name}Id"), relation)
            result[name] = related and self.present(RESOURCES[relation.target], related, depth + 1)
        else:
            related = self._related(result[f"{name}Id"], relation)
            if related is not None:
                self._sideload(relation.target, related, depth)

    def _related(self, key: str | None, relation: Relation) -> Record | None:
        return self.store.get(relation.target, key) if key else None

    def _has_many(self, result: Record, name: str, relation: Relation, key: str, mode: str, depth: int) -> None:
        children = self.store.children(relation.target, key, relation.prefix + result["id"])
        if mode == "embed":
            target = RESOURCES[relation.target]
            result[name] = [self.present(target, child, depth + 1) for child in children]
            return
        result[f"{name.removesuffix('s')}Ids"] = [child["id"] for child in children]
        self.sideloads.setdefault(relation.target, {})
        for child in children:
            self._sideload(relation.target, child, depth)

    def _sideload(self, plural: str, record: Record, depth: int) -> None:
        loaded = self.sideloads.setdefault(plural, {})
        if record["id"] not in loaded:
            loaded[record["id"]] = record
            loaded[record["id"]] = self.present(RESOURCES[plural], record, depth + 1)
