"""The contract of an output format, and the registry that finds the formats."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from invoiceapp.domain.fields import Field, parse_all
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.invoice import DocumentType, Invoice

#: Bytes: an invoice of 4 000 lines is about 4 MB, and PDFs may be embedded.
LARGEST_DOCUMENT = 64 * 1024 * 1024
#: Characters that XML 1.0 cannot carry (section 2.2).
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Schema:
    """What official rules judge a document of one type: names that ``validation`` resolves."""

    xsd: str | None = None
    rules: tuple[str, ...] = ()
    """Rule sets in order, e.g. ``en16931-ubl``, ``peppol-ubl``; see ``validation/catalogue.py``"""


@dataclass(frozen=True, slots=True)
class Interchange:
    """The identity of one transmission, given by the caller, so that a document can be written again byte for byte.

    An EDIFACT interchange and a Peppol envelope (SBDH) carry a number or id, and the time of making.
    """

    number: int = 1
    """Running number from this sender to this receiver, from 1"""
    prepared_at: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    instance_id: str = "00000000-0000-4000-8000-000000000000"
    """A UUID"""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a writer needs beside the invoice."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """By name of the format's declared fields, parsed; ``Format.parameters`` fills in the defaults"""
    interchange: Interchange = Interchange()


class OptionsInvalid(ValueError):
    """Options of a format that cannot be used; ``errors`` by field name."""

    def __init__(self, errors: dict[str, Text]) -> None:
        super().__init__("; ".join(f"{name}: {text.en}" for name, text in errors.items()))
        self.errors = errors


class Unreadable(ValueError):
    """Bytes that are no document of this format; ``text`` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


@dataclass(frozen=True, slots=True)
class ReadableLine:
    """One line of a document as people read it."""

    text: str
    meaning: Text | None = None
    """What it says, in words"""
    places: tuple[str, ...] = ()
    """Values of ``Finding.location`` that mean this line"""


def _unchanged(content: bytes) -> bytes:
    return content


@dataclass(frozen=True, slots=True)
class Format:
    """One output format. A profile of a family is a row of such values, never a subclass."""

    id: str
    label: Text
    media_type: str
    extension: str
    writer: Callable[[Invoice, Parameters], bytes]
    checker: Callable[[Invoice, Parameters], list[Finding]]
    schemas: Mapping[DocumentType, Schema] = field(default_factory=dict)
    """Empty where no official rules exist"""
    options: tuple[Field, ...] = ()
    """What a user may choose about this format, for all customers or for one"""
    route: Callable[[Invoice, Mapping[str, Any]], tuple[str, str] | None] | None = None
    """Sender and receiver between whom interchanges are numbered; None where these bytes need no ``Interchange``"""
    renumber: Callable[[bytes, Interchange, Interchange], bytes] | None = None
    """The same content, made as the first interchange, as the second one; wherever there is a ``route``"""
    carries_attachments: bool = False
    """Whether files can travel inside the document"""
    payload: Callable[[bytes], bytes] = _unchanged
    """The XML that the rules judge, out of an envelope or a PDF. Raises ``Unreadable``."""
    examine: Callable[[bytes], list[Finding]] | None = None
    """Own checks on the bytes, for formats without an official rule engine"""
    reader: Callable[[bytes], Invoice] | None = None
    """The invoice that the bytes carry. Raises ``Unreadable``."""
    shown: Callable[[bytes], str] | None = None
    """Lines for people, of formats that are text but not XML. Raises ``Unreadable``."""
    explained: Callable[[bytes], list[ReadableLine]] | None = None
    """The same with each line in words, where its codes say little. Raises ``Unreadable``."""
    draws: bool = False
    """Whether writing needs the PDF engine, and so a process of its own"""

    def parameters(self, typed: Mapping[str, str] | None = None, interchange: Interchange | None = None) -> Parameters:
        """Parameters out of options as people type them. Raises ``OptionsInvalid``."""
        values, errors = parse_all(self.options, typed or {})
        declared = {option.name for option in self.options}
        errors |= {
            name: Text("Ukendt indstilling.", "Unknown setting.") for name in typed or {} if name not in declared
        }
        if errors:
            raise OptionsInvalid(errors)
        return Parameters(values, interchange or Interchange())

    def write(self, invoice: Invoice, parameters: Parameters | None = None) -> bytes:
        """The document's bytes; the same invoice and parameters give the same bytes."""
        return self.writer(invoice, parameters or self.parameters())

    def check(self, invoice: Invoice, parameters: Parameters | None = None) -> list[Finding]:
        """Built-in rules on the model: what no receiver of this format would take."""
        return self.checker(invoice, parameters or self.parameters())


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
