"""The history of settings: what each save changed, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, or_, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, ExportRule, SettingsChange, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict

from . import environments, rules
from .settings import RULE, Place, applied, places


@dataclass(frozen=True, slots=True)
class Difference:
    """One value before and after; None where it was not set."""

    place: Place
    before: Any
    after: Any


def of_rule(rule: ExportRule | None) -> dict[str, Any]:
    """What the history keeps of a customer: its settings, and its format and gateway in the group ``rule``."""
    return {**rule.settings, RULE: {"format": rule.format, "gateway": rule.gateway_id}} if rule else {}


def put(rule: ExportRule, values: Mapping[str, Any]) -> None:
    """The reverse of ``of_rule``."""
    chosen = values[RULE]
    rule.format, rule.gateway_id = chosen["format"], chosen["gateway"]
    rule.settings = {group: stored for group, stored in values.items() if group != RULE}


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
    change = SettingsChange(**_columns(adaptor, kind, actor, found, customer_id))
    db.session.add(change)
    db.session.flush()
    return change


def _columns(
    adaptor: Adaptor, kind: str, actor: str, found: Iterable[Difference], customer_id: str | None
) -> dict[str, Any]:
    return {
        "subscription_id": adaptor.subscription_id, "adaptor_id": adaptor.id, "customer_id": customer_id, "kind": kind,
        "actor": actor, "before": applied({}, {item.place: item.before for item in found}),
        "after": applied({}, {item.place: item.after for item in found}),
    }  # fmt: skip


#: A customer's id, and what ``of_rule`` said before and after.
CustomerSave = tuple[str, Mapping[str, Any], Mapping[str, Any]]


def record_many(adaptor: Adaptor, actor: str, saves: Iterable[CustomerSave]) -> None:
    """``record`` for many customers, in one statement. Their rows are in the database already."""
    rows = [
        _columns(adaptor, "customer", actor, found, customer_id)
        for customer_id, before, after in saves
        if (found := differences(before, after))
    ]
    if rows:
        db.session.execute(insert(SettingsChange), rows)


def record_moves(adaptor: Adaptor, customer_ids: Sequence[str], format_id: str, gateway_id: str, actor: str) -> None:
    """Keep for the history that these customers get another format or gateway, before activation gives it to them.

    In the transaction that activates them; ``adaptor`` is ``rules.held``, so that nobody moves them in between.
    """
    others = db.session.execute(
        select(ExportRule.customer_id, ExportRule.format, ExportRule.gateway_id).where(
            ExportRule.adaptor_id == adaptor.id,
            ExportRule.customer_id.in_(customer_ids),
            or_(ExportRule.format != format_id, ExportRule.gateway_id != gateway_id),
        )
    )
    after = {RULE: {"format": format_id, "gateway": gateway_id}}
    record_many(adaptor, actor, [(one, {RULE: {"format": fmt, "gateway": way}}, after) for one, fmt, way in others])


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the history, newest first, and the id from which older ones follow ("" at the end)."""

    changes: list[SettingsChange]
    older: str


def of_adaptor(adaptor_id: str, customer_id: str | None = None, before: str = "", size: int = 50) -> Page:
    """The changes of an adaptor and of its customers, or of one customer, that are older than ``before``."""
    query = select(SettingsChange).where(SettingsChange.adaptor_id == adaptor_id)
    if customer_id is not None:
        query = query.where(SettingsChange.customer_id == customer_id)
    if before:
        query = query.where(SettingsChange.id < before)
    rows = list(db.session.scalars(query.order_by(SettingsChange.id.desc()).limit(size + 1)))
    return Page(rows[:size], rows[size - 1].id if len(rows) > size else "")


def last_of(adaptor_id: str, customer_id: str | None, wanted: Iterable[Place]) -> dict[Place, SettingsChange]:
    """The newest change of each place, of the common settings or of a customer's own; looks at the last fifty."""
    query = (
        select(SettingsChange)
        .where(SettingsChange.adaptor_id == adaptor_id, SettingsChange.customer_id == customer_id)
        .order_by(SettingsChange.id.desc())
        .limit(50)
    )
    missing, found = set(wanted), {}
    for change in db.session.scalars(query):
        for place in missing & {*places(change.before), *places(change.after)}:
            found[place] = change
            missing.discard(place)
    return found


def undo(change_id: str, actor: str) -> SettingsChange:
    """Put back what a save of settings replaced; other values stay as they are now.

    Raises ``Conflict`` where it was undone already, or where one of its values was changed again since, and
    ``AdaptorDeleted``. ``saving.undo`` also lets go what waited for it.
    """
    with transaction() as session:
        change = session.get_one(SettingsChange, change_id, with_for_update=True, populate_existing=True)
        if change.undone_at is not None:
            raise Conflict(Text("Ændringen er allerede fortrudt.", "The change is undone already."))
        adaptor = rules.held(change.adaptor_id)
        environments.require_kept(adaptor)
        row = _row(change, adaptor)
        found = differences(change.before, change.after)
        before = of_rule(row) if isinstance(row, ExportRule) else dict(row.settings)
        current = places(before)
        if any(current.get(item.place) != item.after for item in found):
            raise Conflict(
                Text(
                    "Værdierne er ændret igen siden. Ret dem i stedet på siden.",
                    "The values were changed again since. Correct them on the page instead.",
                )
            )
        after = applied(before, {item.place: item.before for item in found})
        if isinstance(row, ExportRule):
            _put_back(adaptor, row, after)
        else:
            row.settings = after
        change.undone_at, change.undone_by = utcnow(), actor
        record(adaptor, change.kind, actor, before, after, change.customer_id)
    return change


def _put_back(adaptor: Adaptor, rule: ExportRule, values: Mapping[str, Any]) -> None:
    """Raises ``Conflict`` where the old gateway is gone since, or takes the old format no more."""
    chosen = values[RULE]
    if (chosen["format"], chosen["gateway"]) != (rule.format, rule.gateway_id):
        for text in rules.pair_errors(adaptor, chosen["format"], chosen["gateway"]).values():
            raise Conflict(text)
    put(rule, values)


def _row(change: SettingsChange, adaptor: Adaptor) -> Adaptor | ExportRule:
    """The row whose ``settings`` the change is about, locked as ``adaptor`` is. Raises ``Conflict`` where it is gone."""
    if change.customer_id is None:
        return adaptor
    rule = db.session.scalar(
        select(ExportRule)
        .where(ExportRule.customer_id == change.customer_id)
        .with_for_update(of=ExportRule)
        .execution_options(populate_existing=True)
    )
    if rule is None:
        raise Conflict(Text("Kunden har ingen indstillinger mere.", "The customer has no settings any more."))
    return rule
