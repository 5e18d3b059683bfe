"""The history of settings: what each save changed, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, ExportRule, SettingsChange, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict

from .settings import Place, applied, places


@dataclass(frozen=True, slots=True)
class Difference:
    """One value before and after; None where it was not set."""

    place: Place
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What differs between two stored settings, in a stable order."""
    old, new = places(before), places(after)
    return [
        Difference(place, old.get(place), new.get(place))
        for place in sorted({*old, *new})
        if old.get(place) != new.get(place)
    ]


def record(
    adaptor: Adaptor, kind: str, actor: str, before: Mapping[str, Any], after: Mapping[str, Any],
    customer_id: str | None = None,
) -> SettingsChange | None:  # fmt: skip
    """Keep a save of settings for the history; None where it changed nothing. Inside the caller's transaction."""
    found = differences(before, after)
    if not found:
        return None
    change = SettingsChange(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=customer_id, kind=kind, actor=actor,
        before=applied({}, {item.place: item.before for item in found}),
        after=applied({}, {item.place: item.after for item in found}),
    )  # fmt: skip
    db.session.add(change)
    db.session.flush()
    return change


def of_adaptor(adaptor_id: str, limit: int = 50) -> list[SettingsChange]:
    """The newest first."""
    return list(
        db.session.scalars(
            select(SettingsChange)
            .where(SettingsChange.adaptor_id == adaptor_id)
            .order_by(SettingsChange.id.desc())
            .limit(limit)
        )
    )


def undo(change_id: str, actor: str) -> SettingsChange:
    """Put back what a save of settings replaced; other values stay as they are now.

    Raises ``Conflict`` where it was undone already, or where one of its values was changed again since.
    """
    with transaction() as session:
        change = session.get_one(SettingsChange, change_id, with_for_update=True, populate_existing=True)
        if change.undone_at is not None:
            raise Conflict(Text("Ændringen er allerede fortrudt.", "The change is undone already."))
        row = _row(change)
        found = differences(change.before, change.after)
        current = places(row.settings)
        if any(current.get(item.place) != item.after for item in found):
            raise Conflict(
                Text(
                    "Værdierne er ændret igen siden. Ret dem i stedet på siden.",
                    "The values were changed again since. Correct them on the page instead.",
                )
            )
        before = dict(row.settings)
        row.settings = applied(row.settings, {item.place: item.before for item in found})
        change.undone_at, change.undone_by = utcnow(), actor
        adaptor = session.get_one(Adaptor, change.adaptor_id)
        record(adaptor, change.kind, actor, before, row.settings, change.customer_id)
    return change


def _row(change: SettingsChange) -> Adaptor | ExportRule:
    """The row whose ``settings`` the change is about, locked. Raises ``Conflict`` where it is gone."""
    if change.customer_id is None:
        return db.session.get_one(Adaptor, change.adaptor_id, with_for_update=True, populate_existing=True)
    rule = db.session.scalar(
        select(ExportRule)
        .where(ExportRule.customer_id == change.customer_id)
        .with_for_update(of=ExportRule)
        .execution_options(populate_existing=True)
    )
    if rule is None:
        raise Conflict(Text("Kunden har ingen indstillinger mere.", "The customer has no settings any more."))
    return rule
