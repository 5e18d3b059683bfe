"""Invoices and answers to them: UBL, CII, Factur-X, EDIFACT, JSON, ApplicationResponses; Billy's records."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from support import responses

from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.settings import Settings
from invoiceapp.formats import responses as reading
from invoiceapp.formats.base import Format, Unreadable, registry
from invoiceapp.formats.edifact.acknowledgements import read_acknowledgements
from invoiceapp.formats.validation import validator
from invoiceapp.sources.base import SourceError, UnusableBundle
from invoiceapp.sources.billy import client, records
from invoiceapp.sources.billy.source import BillySource

from ..engine import ROOT, Target

GOLDEN = ROOT / "tests" / "golden"


def golden(folder: str, *names: str) -> Iterator[bytes]:
    for name in names:
        yield (GOLDEN / folder / name).read_bytes()


def _small(folder: str, most: int = 6) -> Iterator[bytes]:
    """The smallest of the golden files."""
    yield from (
        path.read_bytes()
        for path in sorted(Path(GOLDEN / folder).iterdir(), key=lambda path: path.stat().st_size)[:most]
    )


@cache
def formats() -> dict[str, Format]:
    return registry()


def _read(name: str, content: bytes) -> Invoice:
    reader = formats()[name].reader
    assert reader is not None
    invoice = reader(content)
    # What was read is judged next, whatever is in it.
    formats()[name].check(invoice)
    return invoice


def ubl(content: bytes) -> object:
    """Which format, the checks of its bytes, and the invoice in it."""
    found = validator.detect(content, list(formats().values()))
    if not isinstance(found, tuple):
        return found
    fmt, kind = found
    payload = validator.parse_xml(fmt.payload(content))
    assert kind is not None
    assert payload is not None
    return _read(fmt.id, content)


def edifact(content: bytes) -> object:
    fmt = formats()["edifact-d96a"]
    assert fmt.examine
    assert fmt.explained
    fmt.examine(content)
    fmt.explained(content)
    return _read(fmt.id, content)


def response(content: bytes) -> object:
    reading.is_response(content)
    reading.uuid_of(content)
    found = reading.read_response(content)
    return reading.explained(found)


def _records(document: dict[str, Any], root: str) -> list[dict[str, Any]]:
    """As the client gives them out: a list of objects, or none."""
    found = document.get(root)
    return found if client._is_record_list(found) else []


def billy_answer(content: bytes) -> object:
    """A page of Billy's, and the records in it."""
    document = client._parse_json(content)
    if document is None:
        return None
    for root, read in (("invoices", records.book_standing), ("organizations", records.organization)):
        for record in _records(document, root):
            read(record)
    found = []
    for record in _records(document, "invoices"):
        found.append(records.source_document(record, {"invoice": record}))
    for record in _records(document, "contacts"):
        found.append(records.source_customer(record, _records(record, "contactPersons")))
    return client._page(document, "invoices", []), found


def bundle(content: bytes) -> object:
    """Billy's records of one invoice -> the model -> every text format."""
    found = client._parse_json(content)
    if found is None:
        return None
    BillySource.vat_use(found)
    invoice = BillySource.convert(found, Settings(), ()).invoice
    if invoice is not None:
        for fmt in formats().values():
            if not fmt.draws and not any(finding.is_fatal for finding in fmt.check(invoice)):
                fmt.write(invoice)
    return invoice


def _pages() -> Iterator[bytes]:
    for content in _small("bundles", 3):
        found = json.loads(content)
        page: dict[str, Any] = {
            "meta": {"statusCode": 200, "paging": {"page": 1, "pageCount": 1, "total": 1}},
            "invoices": [{**found["invoice"], "contactId": "c1", "approvedTime": "2026-11-01T10:00:00"}], "contacts": [copy.deepcopy(found["contact"])],
            "organizations": [found.get("organization") or {}],
        }  # fmt: skip
        yield json.dumps(page).encode()


def _responses() -> Iterator[bytes]:
    yield responses.response()
    yield responses.response(
        "BusinessReject", texts=("Nej",), lines=responses.line("1", "Pris"), uuid="a-b", time="10:00:00"
    )
    yield responses.invoice_response("RE", statuses=responses.status("NOA", "Hvad", condition=("BT-48", "DK99")))
    yield responses.message_response("RE", "instance", statuses=responses.status("SV"))


def _acknowledgements() -> Iterator[bytes]:
    head = b"UNA:+.? 'UNB+UNOC:3+5798009811578:14+5790000000012:14+261102:1015+8841'"
    contrl = (
        b"UNH+1+CONTRL:2:2:UN:EAN002'UCI+1017+579:14+5798:14+4'UCM+1+INVOIC:D:96A:UN+4'UCS+3+12'UCD+13+2:1'UNT+6+1'"
    )
    aperak = b"UNH+2+APERAK:D:96A:UN:EAN003'BGM+313+1+27'RFF+IV:2026-17'ERC+12'FTX+AAO+++Forkert:pris'UNT+6+2'"
    yield head + contrl + b"UNZ+1+8841'"
    yield head + contrl + aperak + b"UNZ+2+8841'"


def _pdf() -> Iterator[bytes]:
    """A PDF of our own making with an invoice inside, without the pages that only make it long."""
    from io import BytesIO

    from pypdf import PdfWriter

    writer, out = PdfWriter(), BytesIO()
    writer.add_blank_page(10, 10)
    writer.add_attachment("factur-x.xml", next(_small("cii")))
    writer.write(out)
    yield out.getvalue()


TARGETS = (
    Target("ubl-peppol", ubl, lambda: _small("peppol-bis-3"), (Unreadable,), "xml"),
    Target("ubl-oioubl", ubl, lambda: _small("oioubl-2.1"), (Unreadable,), "xml"),
    Target("cii", lambda content: _read("cii", content), lambda: _small("cii", 3), (Unreadable,), "xml"),
    Target("facturx-pdf", lambda content: _read("facturx", content), _pdf, (Unreadable,), "lines", (b"/FlateDecode", b"obj", b"endstream", b"/Kids", b"1 0 R")),
    Target("edifact-invoic", edifact, lambda: _small("edifact-d96a"), (Unreadable,), "edifact", (b"'", b"+", b":", b"?", b"UNA", b"UNS+S'", b"MOA+")),
    Target("edifact-answers", read_acknowledgements, _acknowledgements, (Unreadable,), "edifact", (b"UCI+", b"UCD+", b"ERC+", b"'")),
    Target("json-invoice", lambda content: _read("json", content), lambda: _small("json", 3), (Unreadable,), "json"),
    Target("application-response", response, _responses, (Unreadable,), "xml"),
    Target("billy-answer", billy_answer, _pages, (SourceError,), "json"),
    Target("bundle", bundle, lambda: _small("bundles", 4), (UnusableBundle, SourceError), "json"),
)  # fmt: skip
