"""The table of documents in words: Billy's stages, and what its file says."""

from __future__ import annotations

from flask_babel import gettext as _

from invoiceapp.formatting import in_language, language, state_look
from invoiceapp.services.daily.listing import STATUSES
from invoiceapp.services.daily.listing_csv import Words
from invoiceapp.services.export.queries import format_label

#: Statuses for which Billy has no word: nothing was, or will be, on its way.
_WITHOUT = frozenset({"listed", "unusable", "skipped", "handled", "cancelled"})


def stages() -> dict[str, str]:
    """Billy's own word for how far a document has come, by ``Document.status``; none where Billy has none."""
    later = {"delivered": _("Received"), "acknowledged": _("Acknowledged"), "rejected": _("Declined")}
    return dict.fromkeys(STATUSES - _WITHOUT, _("Created")) | later


def billy_stage(status: str) -> str:
    """One of ``stages``, or nothing. For templates."""
    return stages().get(status, "")


def csv_words() -> Words:
    """For the file, in the reader's language."""
    return Words(
        columns={
            "sender": _("Sender"), "receiver": _("Receiver"), "number": _("Number"), "type": _("Type"),
            "date": _("Issue date"), "net": _("Amount before VAT"), "vat": _("VAT"), "total": _("Amount with VAT"),
            "currency": _("Currency"), "customer_order": _("Customer's order number"),
            "supplier_order": _("Our order number"), "format": _("Format"), "gateway": _("Gateway"),
            "status": _("Status"), "stage": _("In Billy's words"), "sent": _("Sent on"), "received": _("Received on"),
        },
        types={"invoice": _("Invoice"), "creditNote": _("Credit note")},
        statuses={status: str(state_look(status).label) for status in STATUSES},
        stages=stages(),
        format=_format_name,
        is_danish=language() == "da",
    )  # fmt: skip


def _format_name(format_id: str) -> str:
    return in_language(format_label(format_id))
