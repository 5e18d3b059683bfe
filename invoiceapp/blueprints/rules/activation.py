"""Format and gateway to choose from, and what to say after an activation."""

from __future__ import annotations

from typing import Any

from flask import flash
from flask_babel import ngettext

from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import gateways, rules


def choices(adaptor: Adaptor) -> dict[str, Any]:
    """Formats and gateways to choose from, and which are chosen at first."""
    found = gateways.of_subscription(adaptor.subscription_id)
    return {
        "formats": rules.format_choices(),
        "gateways": found,
        "gatewaychoices": [(row.id, row.name) for row in found],
        "format": adaptor.default_format or "",
        "gateway_id": adaptor.default_gateway_id or (found[0].id if len(found) == 1 else ""),
    }


def tell_of_waiting(adaptor_id: str, customer_ids: list[str]) -> None:
    """Activation sends nothing of the past; say so where there is a past."""
    if count := rules.waiting(adaptor_id, customer_ids):
        text = ngettext(
            "%(num)s older document is not sent by itself: choose it under Manual export.",
            "%(num)s older documents are not sent by themselves: choose them under Manual export.",
            count,
        )
        flash(text, "info")
