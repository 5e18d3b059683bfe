"""A one-page PDF, written by hand: quick to make and enough to look at.

PDF 1.4 with the built-in font Helvetica (ISO 32000-1, 9.6.2.2); text is cp1252,
what that lacks becomes a question mark.
"""

from __future__ import annotations

from collections.abc import Sequence

from invoiceapp.domain.money import fixed2, plain

from .records import Record, Tables

_PAGE_HEIGHT = 842
_LEFT, _TOP, _LEADING, _SIZE = 50, 790, 16, 10
_LINES_SHOWN = 32
_WIDTH = 90


def _show(text: str) -> bytes:
    """One line of text as a PDF string, cut to the width of the page."""
    printable = "".join(c if c.isprintable() else " " for c in text)[:_WIDTH]
    raw = printable.encode("cp1252", "replace")
    escaped = raw.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    return b"(" + escaped + b") Tj T*"


def render(lines: Sequence[str]) -> bytes:
    """A PDF of one A4 page with these lines of text."""
    text = b"\n".join(_show(line) for line in lines)
    content = f"BT /F1 {_SIZE} Tf {_LEADING} TL {_LEFT} {_TOP} Td\n".encode() + text + b"\nET"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 {_PAGE_HEIGHT}] /Contents 4 0 R ".encode()
        + b"/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + f"xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode()


def _line(record: Record, tables: Tables) -> str:
    product = tables["products"].get(record["productId"] or "", {})
    name = product.get("name") or record["description"] or ""
    return f"{plain(record['quantity'])} x {name} à {plain(record['unitPrice'])}   {fixed2(record['amount'])}"


def invoice_pdf(organization: Record, tables: Tables, invoice: Record, lines: Sequence[Record]) -> bytes:
    """The document as the demo company prints it: parties, number, lines and totals."""
    contact = tables["contacts"].get(invoice["contactId"], {})
    currency = invoice["currencyId"]
    shown = [_line(line, tables) for line in lines[:_LINES_SHOWN]]
    if (more := len(lines) - _LINES_SHOWN) > 0:
        shown.append(f"… og {more} {'linje' if more == 1 else 'linjer'} mere")
    return render(
        [
            f"{organization['name']}, {organization['street']}, {organization['zipcode']} {organization['city']}",
            f"CVR {organization['registrationNo']}",
            "",
            f"{'Kreditnota' if invoice['type'] == 'creditNote' else 'Faktura'} {invoice['invoiceNo'] or '(kladde)'}",
            f"Dato {invoice['entryDate']}",
            f"Til {contact.get('name', '')}",
            "",
            *shown,
            "",
            f"Netto {fixed2(invoice['amount'])} {currency}",
            f"Moms {fixed2(invoice['tax'])} {currency}",
            f"I alt {fixed2(invoice['grossAmount'])} {currency}",
        ]
    )
