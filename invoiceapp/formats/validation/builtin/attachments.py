"""Files that travel with the document (BG-24)."""

from __future__ import annotations

from collections.abc import Iterator

from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.validation.codelists import codes

from .checks import Problem, is_blank, rules


@rules("BR-52", "PEPPOL-EN16931-CL001", "PEPPOL-EN16931-R008")
def attachments(invoice: Invoice) -> Iterator[Problem]:
    """Files have an id, a type that Peppol carries, and content."""
    for item in invoice.attachments:
        if is_blank(item.id):
            yield Problem("BR-52", value=item.filename)
        if item.media_type not in codes("media_types"):
            yield Problem("PEPPOL-EN16931-CL001", cause=item.media_type, value=item.media_type, file=item.filename)
        if not item.content:
            yield Problem(
                "PEPPOL-EN16931-R008",
                cause=f"file {item.filename}",
                term="BT-125",
                fix="source.invoice",
                value=item.filename,
            )


@rules("BR-CL-24")
def media_types(invoice: Invoice) -> Iterator[Problem]:
    """Files have a type that EN 16931 carries."""
    for item in invoice.attachments:
        if item.media_type not in codes("media_types"):
            yield Problem("BR-CL-24", cause=item.media_type, value=item.media_type, file=item.filename)
