"""What a reading of the customers found, in words; two screens start one."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.services.configuration.customer_reading import Reading


def words_of(reading: Reading) -> str:
    """What a reading found, in a sentence or three."""
    parts = [_("Customers read: %(count)s.", count=reading.read)]
    if reading.new:
        parts.append(ngettext("%(num)s new customer.", "%(num)s new customers.", reading.new))
    if reading.activated:
        parts.append(
            ngettext("%(num)s of them was activated.", "%(num)s of them were activated.", reading.activated)
        )  # fmt: skip
    return " ".join(parts)
