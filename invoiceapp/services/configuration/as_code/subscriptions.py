"""Which subscription a command is about: by name, because ids differ between databases."""

from __future__ import annotations

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Subscription, db
from invoiceapp.services.errors import ServiceError


class NoSubscription(ServiceError):
    """There is none of that name."""


def chosen(name: str | None) -> Subscription:
    """The subscription of a name; the only one where none is named. Raises ``NoSubscription``, ``ServiceError``."""
    rows = [row for row in db.session.scalars(select(Subscription)) if name is None or row.name.strip() == name.strip()]
    if len(rows) == 1:
        return rows[0]
    if not rows:
        raise NoSubscription(_missing(name))
    if name is None:
        names = ", ".join(sorted(row.name for row in rows))
        raise ServiceError(
            Text(f"Vælg et abonnement med --subscription: {names}.", f"Choose one with --subscription: {names}.")
        )
    raise ServiceError(Text(f"Flere abonnementer hedder »{name}«.", f"Several subscriptions are called “{name}”."))


def _missing(name: str | None) -> Text:
    if name is None:
        return Text("Der er intet abonnement endnu.", "There is no subscription yet.")
    return Text(
        f"Abonnementet »{name}« findes ikke. Opret det med --create-subscription.",
        f"There is no subscription “{name}”. Make it with --create-subscription.",
    )
