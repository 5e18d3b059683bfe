"""Legal holds: what must not be deleted whatever its age, why, who said so, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, Document, HoldScope, LegalHold, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.export.validators import today

LONGEST_REASON = 2000
_MODELS: Mapping[HoldScope, Any] = {
    HoldScope.ADAPTOR: Adaptor, HoldScope.CUSTOMER: Customer, HoldScope.DOCUMENT: Document,
}  # fmt: skip


def is_active(row: LegalHold, on: date | None = None) -> bool:
    """Whether it keeps something today."""
    return row.lifted_at is None and (row.until is None or row.until >= (on or today()))


def _active(on: date) -> ColumnElement[bool]:
    return and_(LegalHold.lifted_at.is_(None), or_(LegalHold.until.is_(None), LegalHold.until >= on))


def keeps(on: date) -> ColumnElement[bool]:
    """Whether some hold keeps the document, for queries that have ``Document``."""
    kept = or_(
        LegalHold.scope == HoldScope.SUBSCRIPTION,
        and_(LegalHold.scope == HoldScope.ADAPTOR, LegalHold.row_id == Document.adaptor_id),
        and_(LegalHold.scope == HoldScope.CUSTOMER, LegalHold.row_id == Document.customer_id),
        and_(LegalHold.scope == HoldScope.DOCUMENT, LegalHold.row_id == Document.id),
    )
    return exists().where(LegalHold.subscription_id == Document.subscription_id, _active(on), kept)


def keeps_all(subscription_id: str, on: date) -> bool:
    """Whether a hold keeps everything of the subscription."""
    query = select(LegalHold.id).where(
        LegalHold.subscription_id == subscription_id, LegalHold.scope == HoldScope.SUBSCRIPTION, _active(on)
    )
    return db.session.scalar(query.limit(1)) is not None


def of_subscription(subscription_id: str, only_of: frozenset[str] | None = None) -> list[LegalHold]:
    """All, newest first; those that have ended are history. ``only_of``: ids of adaptors that may be told of, None for all."""
    query = select(LegalHold).where(LegalHold.subscription_id == subscription_id).order_by(LegalHold.id.desc())
    if only_of is not None:
        shown = [
            and_(
                LegalHold.scope == scope, LegalHold.row_id.in_(select(model.id).where(_adaptor_of(model).in_(only_of)))
            )
            for scope, model in _MODELS.items()
        ]
        query = query.where(or_(LegalHold.scope == HoldScope.SUBSCRIPTION, *shown))
    return list(db.session.scalars(query))


def _adaptor_of(model: Any) -> Any:
    return model.id if model is Adaptor else model.adaptor_id


def place(
    subscription_id: str, scope: str, what: str, reason: str, actor: str, until: str = "", *,
    only_of: frozenset[str] | None = None,
) -> list[LegalHold]:  # fmt: skip
    """Keep something: ``what`` is an id, a name or a document's number, and all that have it are kept, each by a hold.

    ``until``: ISO 8601 or empty. ``only_of``: ids of the adaptors that the person may see, None for all. Raises ``InvalidInput``.
    """
    errors: dict[str, Text] = {}
    wanted = HoldScope(scope) if scope in set(HoldScope) else None
    if wanted is None:
        errors["scope"] = Text("Vælg, hvad der skal bevares.", "Choose what is to be kept.")
    found = _find(subscription_id, wanted, what.strip(), only_of) if wanted else []
    if wanted is not None and not found:
        errors["what"] = Text(
            "Det findes ikke. Skriv kundens navn, adaptorens navn eller dokumentets nummer, præcis som det står.",
            "It does not exist. Write the customer's name, the adaptor's name or the document's number exactly as it stands.",
        )
    if not reason.strip() or len(reason) > LONGEST_REASON:
        errors["reason"] = Text("Skriv, hvorfor det skal bevares.", "Write why it is to be kept.")
    last = _day(until, errors)
    if errors or wanted is None:
        raise InvalidInput(errors)
    with transaction() as session:
        rows = [
            LegalHold(
                subscription_id=subscription_id, scope=wanted, row_id=row_id, name=name[:500], reason=reason.strip(),
                made_by=actor, until=last,
            )
            for row_id, name in found
        ]  # fmt: skip
        session.add_all(rows)
    return rows


def _day(until: str, errors: dict[str, Text]) -> date | None:
    if not until.strip():
        return None
    try:
        last = date.fromisoformat(until.strip())
    except ValueError:
        last = None
    if last is None or last < today():
        errors["until"] = Text("Vælg en dag, der ikke er gået.", "Choose a day that has not passed.")
    return last


def _find(
    subscription_id: str, scope: HoldScope, what: str, only_of: frozenset[str] | None
) -> list[tuple[str | None, str]]:  # fmt: skip
    """Id and name of all that have the id, name or number; of everything there is one, without an id."""
    if scope is HoldScope.SUBSCRIPTION:
        return [(None, "")]
    model = _MODELS[scope]
    label = Document.number if model is Document else model.name
    query = (
        select(model.id, label)
        .where(model.subscription_id == subscription_id, or_(model.id == what, label == what))
        .order_by(model.id)
    )
    if only_of is not None:
        query = query.where(_adaptor_of(model).in_(only_of))
    return [(row_id, str(name)) for row_id, name in db.session.execute(query)] if what else []


def lift(hold_id: str, actor: str) -> None:
    """End a hold. What is due goes with the next deletion. Raises ``Conflict`` where it has ended."""
    with transaction() as session:
        row = session.get_one(LegalHold, hold_id, with_for_update=True, populate_existing=True)
        if not is_active(row):
            raise Conflict(Text("Bevaringen er allerede ophørt.", "The hold has ended already."))
        row.lifted_at, row.lifted_by = utcnow(), actor
