"""What would become of the documents of the last 90 days if their customers were switched on today. Nothing is sent."""

from __future__ import annotations

from contextlib import suppress

from invoiceapp.services import background
from invoiceapp.services.errors import Conflict

#: The kind of job that checks all customers of an adaptor.
KIND = "preflight"


def refresh(adaptor_id: str, actor: str = "system") -> None:
    """Check all customers again in the background, after something that they share has changed."""
    with suppress(Conflict):
        background.start(adaptor_id, KIND, actor=actor)


def refresh_customer(customer_id: str) -> None:
    """Check one customer again, after its settings have changed."""
