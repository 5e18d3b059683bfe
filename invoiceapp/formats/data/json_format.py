"""The canonical model as JSON, for systems that would rather read fields than e-invoices.

``invoice-1.schema.json`` beside this file describes it; a change that old
readers do not survive is a new number in ``SCHEMA``.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import LARGEST_DOCUMENT, Parameters, Unreadable

from .codec import decode, encode

SCHEMA = "invoiceapp/invoice/1"

OPTIONS = (
    Field(
        "attachments",
        Text("Bilag", "Attachments"),
        FieldType.CHOICE,
        default="include",
        choices=(
            ("include", Text("Med indhold (base64)", "With content (base64)")),
            ("names", Text("Kun navne", "Names only")),
        ),
        help=Text(
            "Bilag kan gøre filen mange gange større.",
            "Attachments can make the file many times larger.",
        ),
        term="BG-24",
    ),
)


def write(invoice: Invoice, parameters: Parameters) -> bytes:
    """The invoice as indented UTF-8 JSON."""
    if parameters.options["attachments"] == "names":
        bare = tuple(dataclasses.replace(item, content=b"") for item in invoice.attachments)
        invoice = dataclasses.replace(invoice, attachments=bare)
    body = {"schema": SCHEMA, **encode(invoice)}
    # A lone half of a surrogate pair is no character, and UTF-8 has no bytes for it.
    return (json.dumps(body, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")


def _parsed(content: bytes) -> Any:
    if len(content) > LARGEST_DOCUMENT:
        raise Unreadable(Text("Filen er for stor.", "The file is too large."))
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Unreadable(Text("Filen er ikke gyldig JSON.", "The file is not valid JSON.")) from error


def read(content: bytes) -> Invoice:
    """The invoice that JSON of this schema holds. Raises ``Unreadable``."""
    body = _parsed(content)
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        raise Unreadable(
            Text(
                f"Filen er ikke en faktura i formatet »{SCHEMA}«. Det står i feltet schema.",
                f"The file is no invoice of the format “{SCHEMA}”; the field schema says so.",
            )
        )
    invoice: Invoice = decode(Invoice, body)
    return invoice


def shown(content: bytes) -> str:
    """The text of the file. Raises ``Unreadable``."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(Text("Filen er ikke tekst i UTF-8.", "The file is not UTF-8 text.")) from error
