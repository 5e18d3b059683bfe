"""An invoice as an EDIFACT interchange with one INVOIC D.96A."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Interchange, Parameters

from .header import header
from .lines import line_segments
from .parties import receiver, sender
from .profiles import Profile, effective
from .summary import summary
from .syntax import LINE_ENDS, Segment, segment, serialize

#: UNB has no time zone: receivers read it as local time.
LOCAL = ZoneInfo("Europe/Copenhagen")
_MESSAGE = "1"
#: GS1 numbers are identified by 14 (0007).
_GS1 = "14"


def control_reference(profile: Profile, interchange: Interchange) -> str:
    """0020: this sender's running number to this receiver."""
    return str(profile.first_reference - 1 + interchange.number)


def _opening(invoice: Invoice, profile: Profile, interchange: Interchange) -> Segment:
    prepared = interchange.prepared_at.astimezone(LOCAL)
    return segment(
        "UNB",
        (profile.character_set, "3"),
        (profile.clean(sender(invoice, profile)), _GS1),
        (profile.clean(receiver(invoice, profile)), _GS1),
        (prepared.strftime("%y%m%d"), prepared.strftime("%H%M")),
        control_reference(profile, interchange),
        profile.recipient_reference,
        profile.application_reference,
        "",
        "1" if profile.acknowledgement else "",
        "",
        "1" if profile.test else "",
    )


def write(invoice: Invoice, parameters: Parameters) -> bytes:
    """The interchange's bytes; the same invoice and parameters give the same bytes."""
    profile = effective(parameters.options)
    body = [
        *header(invoice, profile),
        *(part for place, line in enumerate(invoice.lines, 1) for part in line_segments(line, place, profile)),
        *summary(invoice, profile),
    ]
    return serialize(
        [
            _opening(invoice, profile, parameters.interchange),
            segment("UNH", _MESSAGE, ("INVOIC", "D", "96A", "UN", profile.association)),
            *body,
            segment("UNT", str(len(body) + 2), _MESSAGE),
            segment("UNZ", "1", control_reference(profile, parameters.interchange)),
        ],
        identifier=profile.character_set,
        una=profile.una,
        line_end=LINE_ENDS[profile.line_ends],
    )


def route(invoice: Invoice, options: Mapping[str, Any]) -> tuple[str, str] | None:
    """Sender's and receiver's GLN, between which interchanges are numbered; None where one is missing."""
    profile = effective(options)
    ends = sender(invoice, profile), receiver(invoice, profile)
    return ends if all(ends) else None
