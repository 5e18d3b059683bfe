"""Renders ``invoice.html`` with WeasyPrint. Danish layout; runs in workers, never in a web request."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache, partial
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from invoiceapp.domain.identifiers import CVR, SCHEME_NAMES, Participant
from invoiceapp.domain.invoice import Invoice, Period
from invoiceapp.domain.money import danish, danish_digits
from invoiceapp.formats.base import Parameters

#: Cost grows with table rows: a thousand with long texts take 12 s and 310 MB. Where the page is the document, more are
#: refused (``IA-TOO-MANY-LINES``); where it goes along with an e-invoice, the rest is summed up in a note.
MOST_LINES = 1_000
#: The archive format that may carry any file, with colours and fonts inside (ISO 19005-3, level B).
_ARCHIVE = {"pdf_variant": "pdf/a-3b", "output_intent": "--srgb"}


class PdfEngineMissing(RuntimeError):
    """WeasyPrint's system libraries are not installed; the message is the line that installs them."""


def danish_date(value: date | None) -> str:
    """``2026-11-02`` -> ``02.11.2026``."""
    return value.strftime("%d.%m.%Y") if value else ""


def danish_period(period: Period) -> str:
    """``01.11.2026 – 30.11.2026``; either end may be open."""
    start, end = danish_date(period.start), danish_date(period.end)
    return f"{start} – {end}" if start and end else f"fra {start}" if start else f"til {end}"


def participant(number: Participant) -> str:
    """``GLN/EAN 5798000000001``; ISO 6523 schemes that a Dane does not know keep their number."""
    return f"{SCHEME_NAMES.get(number.scheme, number.scheme)} {number.value}"


def company_number(number: str, scheme: str | None) -> str:
    """``CVR 12345674``; without a scheme it is a Danish one."""
    return participant(Participant(scheme or CVR, number))


def unit_name(code: str) -> str:
    """The Danish word for a code of UN/ECE Recommendation 20; the code where it is seldom used."""
    return _UNITS.get(code, code)


def column_width(texts: Iterable[str], heading: str, most: int) -> str:
    """Width in CSS of a column of numbers or short words; texts of more than ``most`` characters are broken.

    WeasyPrint would take minutes to find the narrowest width of a thousand rows of texts that may break anywhere.
    """
    longest = max(map(len, (*texts, heading)))
    return f"{min(longest, most) * _DIGIT_WIDTH + 1.2:.1f}em"


#: Of DejaVu Sans, in em; the 1.2 above are the cell's padding.
_DIGIT_WIDTH = 0.64

_UNITS = {
    "EA": "stk.", "C62": "stk.", "H87": "stk.", "HUR": "timer", "DAY": "dage", "WEE": "uger", "MON": "mdr.", "ANN": "år",
    "MIN": "min.", "KGM": "kg", "GRM": "g", "TNE": "ton", "LTR": "l", "MLT": "ml", "KMT": "km", "MTR": "m", "CMT": "cm",
    "MTK": "m²", "MTQ": "m³", "SET": "sæt", "PR": "par", "KWH": "kWh", "LS": "fast pris",
}  # fmt: skip


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(
        number=danish, digits=danish_digits, date=danish_date, period=danish_period, unit=unit_name,
        participant=participant, company_number=company_number, width=column_width,
    )  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class Embedded:
    """A file inside a PDF/A-3, and what the PDF says of it."""

    name: str
    media_type: str
    description: str
    content: bytes
    relationship: str
    """``AFRelationship`` of ISO 32000-2, 7.11.3"""
    xmp: bytes
    """``rdf:Description`` elements for the metadata of the PDF"""


def render(invoice: Invoice, *, embedded: Embedded | None = None) -> bytes:
    """The invoice as PDF bytes; with a file inside as PDF/A-3b. Raises ``PdfEngineMissing``.

    The document date stands in for the time of making, so that the same
    invoice gives the same bytes.
    """
    # Attachments are not named: the page itself may become one, and must not change by that.
    html = _template().render(invoice=invoice, lines=invoice.lines[:MOST_LINES], omitted=invoice.lines[MOST_LINES:])
    if embedded is None:
        document = _laid_out(html, invoice)
        content: bytes = document.write_pdf(pdf_identifier=invoice.source_id.encode())
        return content
    content, undrawable = _archived(html, invoice, embedded)
    if undrawable:
        # PDF/A allows no missing glyphs (ISO 19005-3, 6.2.11.8); the file inside keeps the characters.
        content, _ = _archived(html.translate(dict.fromkeys(undrawable, "?")), invoice, embedded)
    return content


def write_page(html: str, identifier: str, made: str) -> bytes:
    """Any page of ours as PDF bytes, always the same; ``made`` is its ISO time. Raises ``PdfEngineMissing``."""
    weasyprint = _weasyprint()
    document = weasyprint.HTML(string=html, url_fetcher=_fetcher(weasyprint)).render()
    document.metadata.created = document.metadata.modified = made
    content: bytes = document.write_pdf(pdf_identifier=identifier.encode())
    return content


def _laid_out(html: str, invoice: Invoice, **options: Any) -> Any:
    weasyprint = _weasyprint()
    document = weasyprint.HTML(string=html, url_fetcher=_fetcher(weasyprint)).render(**options)
    document.metadata.created = document.metadata.modified = invoice.issue_date.isoformat()
    return document


def _fetcher(weasyprint: Any) -> Any:
    # No file and no network: an invoice text must never make the renderer fetch anything.
    return weasyprint.urls.URLFetcher(allowed_protocols=("data",))


def _archived(html: str, invoice: Invoice, embedded: Embedded) -> tuple[bytes, set[int]]:
    """The PDF/A-3b, and the characters that no font of this machine can draw."""
    # A file for each use: WeasyPrint reads it to its end.
    document = _laid_out(html, invoice, **_ARCHIVE, stylesheets=[StringIO(_colour_profile())])
    document.metadata.attachments.append(_attachment(embedded, invoice.issue_date))
    content: bytes = document.write_pdf(
        pdf_identifier=invoice.source_id.encode(), **_ARCHIVE, finisher=partial(_finish, xmp=embedded.xmp)
    )
    return content, {codepoint for font in document.fonts.values() for codepoint in font.missing}


@cache
def _colour_profile() -> str:
    """The sRGB profile as CSS. WeasyPrint would bring the same by itself, but leaves its file open."""
    profile = b64encode(files("weasyprint.pdf").joinpath("sRGB2014.icc").read_bytes()).decode("ascii")
    return (
        f'@color-profile --srgb {{ src: url("data:application/vnd.iccprofile;base64,{profile}"); components: r, g, b }}'
    )


def _attachment(embedded: Embedded, day: date) -> Any:
    weasyprint = _weasyprint()
    made = datetime.combine(day, time(), UTC)
    return weasyprint.Attachment(
        # A data URL, because it is the only source that tells the media type.
        url=f"data:{embedded.media_type};base64,{b64encode(embedded.content).decode('ascii')}",
        url_fetcher=_fetcher(weasyprint),
        name=embedded.name,
        description=embedded.description,
        relationship=embedded.relationship,
        created=made,
        modified=made,
    )


def _finish(document: Any, pdf: Any, *, xmp: bytes) -> None:
    """The metadata in one ``rdf:RDF``, because XMP reads no second one; each file once in the list of associated files."""
    metadata = pdf.objects[int(pdf.catalog["Metadata"].split()[0])]
    metadata.stream = [part.replace(b"</rdf:RDF>", xmp + b"</rdf:RDF>") for part in metadata.stream]
    pdf.catalog["AF"][:] = dict.fromkeys(pdf.catalog["AF"])
