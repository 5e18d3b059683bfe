"""List requests: filters, order and pages, as Billy documents them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from .records import Record, Tables
from .resources import Resource

MAX_PAGE_SIZE = 1000

#: Query parameters with all their values; ``key[]=a&key[]=b`` stands under ``key``.
Query = Mapping[str, Sequence[str]]


class QueryRefused(Exception):
    """A parameter that Billy would not take; the message is for the caller."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and where it lies in it."""

    records: list[Record]
    number: int
    size: int
    total: int

    @property
    def count(self) -> int:
        """Number of pages; an empty list has one."""
        return max(1, math.ceil(self.total / self.size))


def last(query: Query, name: str, default: str = "") -> str:
    """The last value of a parameter."""
    return query[name][-1] if query.get(name) else default


def select(resource: Resource, records: list[Record], query: Query, tables: Tables) -> list[Record]:
    """The records that match every known filter. Raises ``QueryRefused`` for a missing or senseless filter."""
    if resource.required and not query.get(resource.required):
        raise QueryRefused(f"`{resource.required}` is required.")
    for name in resource.filters.keys() & query.keys():
        matches = resource.filters[name]
        try:
            records = [r for r in records if any(matches(r, value, tables) for value in query[name])]
        except ValueError as error:
            raise QueryRefused(f"Invalid value for `{name}`: {error}.") from error
    return records


def order(resource: Resource, records: list[Record], query: Query, tables: Tables) -> list[Record]:
    """The records by ``sortProperty`` and ``sortDirection``; an unknown property changes nothing."""
    name = last(query, "sortProperty")

    def value(record: Record) -> Any:
        if name == "contact.name":
            return tables["contacts"].get(record["contactId"], {}).get("name")
        return record[name]

    known = name in resource.sort_keys if resource.sort_keys else all(name in record for record in records)
    if not name or not known:
        return records
    return sorted(
        records,
        key=lambda record: (value(record) is not None, value(record) if value(record) is not None else 0),
        reverse=last(query, "sortDirection") == "DESC",
    )


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and int(text) else default


def page_of(records: list[Record], query: Query, *, overlap: int = 0) -> Page:
    """The page that ``page`` and ``pageSize`` ask for; ``overlap`` records of the page before come again."""
    number = _number(last(query, "page"), 1)
    size = min(_number(last(query, "pageSize"), MAX_PAGE_SIZE), MAX_PAGE_SIZE)
    start = max(0, (number - 1) * size - (overlap if number > 1 else 0))
    return Page(records[start : start + size], number, size, len(records))


def paging(page: Page, address: str, query: Query) -> Record:
    """``meta.paging`` of a page; ``address`` is the list's own, without query."""
    kept = [(name, value) for name, values in query.items() if name != "page" for value in values]

    def url(number: int | None) -> str:
        pairs = kept if number is None else [("page", str(number)), *kept]
        return f"{address}?{urlencode(pairs)}" if pairs else address

    return {
        "page": page.number,
        "pageCount": page.count,
        "pageSize": page.size,
        "total": page.total,
        "firstUrl": url(None),
        "previousUrl": url(page.number - 1) if page.number > 1 else None,
        "nextUrl": url(page.number + 1) if page.number < page.count else None,
        "lastUrl": url(page.count),
    }
