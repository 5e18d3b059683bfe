"""Renders ``invoice.html`` with WeasyPrint. Danish layout; runs in workers, never in a web request."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.money import danish, plain
from invoiceapp.formats.base import Parameters

#: Cost grows with table rows (a second for five pages); beyond this the rest is summed up in a note.
MOST_LINES = 500


class PdfEngineMissing(RuntimeError):
    """WeasyPrint's system libraries are not installed; the message is the line that installs them."""


def danish_number(value: Decimal, decimals: int | None = 2) -> str:
    """``1234.5`` -> ``1.234,50``; ``decimals=None`` keeps the digits that are there."""
    return danish(value) if decimals == 2 else plain(value).replace(".", ",")


def danish_date(value: date | None) -> str:
    """``2026-11-02`` -> ``02.11.2026``."""
    return value.strftime("%d.%m.%Y") if value else ""


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(number=danish_number, digits=lambda v: danish_number(v, None), date=danish_date)
    return environment.get_template("invoice.html")


def _weasyprint() -> Any:
    try:
        import weasyprint  # 0.8 s and Pango: only where a PDF is made
    except OSError as error:
        raise PdfEngineMissing(
            "WeasyPrint needs Pango: apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 (macOS: brew install pango)"
        ) from error
    return weasyprint


def write(invoice: Invoice, parameters: Parameters) -> bytes:
    """The invoice as PDF bytes; it has no options. Raises ``PdfEngineMissing``."""
    return render(invoice)


def render(invoice: Invoice) -> bytes:
    """The invoice as PDF bytes. Raises ``PdfEngineMissing``.

    The document date stands in for the time of making, so that the same
    invoice gives the same bytes.
    """
    weasyprint = _weasyprint()
    html = _template().render(invoice=invoice, lines=invoice.lines[:MOST_LINES], omitted=invoice.lines[MOST_LINES:])
    # No file and no network: an invoice text must never make the renderer fetch anything.
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=("data",))
    document = weasyprint.HTML(string=html, url_fetcher=fetcher).render()
    document.metadata.created = document.metadata.modified = invoice.issue_date.isoformat()
    pdf: bytes = document.write_pdf(pdf_identifier=invoice.source_id.encode())
    return pdf
