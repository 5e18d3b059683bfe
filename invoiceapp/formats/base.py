"""The contract of an output format, and the registry that finds the formats."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.invoice import DocumentType, Invoice


@dataclass(frozen=True, slots=True)
class Schema:
    """What official rules judge a document of one type: names that ``validation`` resolves."""

    xsd: str | None = None
    rules: tuple[str, ...] = ()
    """Rule sets in order, e.g. ``en16931-ubl``, ``peppol-ubl``; see ``validation/catalogue.py``"""


@dataclass(frozen=True, slots=True)
class Format:
    """One output format. A profile of a family is a row of such values, never a subclass."""

    id: str
    label: Text
    media_type: str
    extension: str
    write: Callable[[Invoice], bytes]
    """The document's bytes; the same invoice gives the same bytes"""
    check: Callable[[Invoice], list[Finding]]
    """Built-in rules on the model: what no receiver of this format would take"""
    schemas: dict[DocumentType, Schema]
    """Empty where no official rules exist"""


@cache
def registry() -> dict[str, Format]:
    """Formats by id. A family is a folder here whose package exports ``FORMATS``."""
    package = importlib.import_module(__package__)
    found: dict[str, Format] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.ispkg:
            module = importlib.import_module(f"{__package__}.{info.name}")
            for item in getattr(module, "FORMATS", ()):
                found[item.id] = item
    return found
