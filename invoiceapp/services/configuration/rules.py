"""Export rules: which customers are activated, and how their documents go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.orm import selectinload

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.domain.settings import GROUPS
from invoiceapp.formats.base import registry as formats
from invoiceapp.gateways.base import registry as transports
from invoiceapp.models import Adaptor, Customer, Delivery, Document, ExportRule, Gateway, Stage, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export.documents import queue

from .settings import FORMATS, from_form, posted, with_groups

PAGE = 50
#: Parameters of one statement; SQLite and PostgreSQL end between 32 766 and 65 535.
MOST_AT_ONCE = 30_000


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list shows; comes from the URL."""

    text: str = ""
    show: str = "all"
    """``all``, ``active``, ``inactive``"""
    after: str = ""
    """Keyset cursor: ``<name>\x1f<id>`` of the last row of the page before"""


@dataclass(frozen=True, slots=True)
class Page:
    """Customers and the cursor of the next page ("" at the end)."""

    customers: list[Customer]
    next: str
    matching: int


def _matching(adaptor_id: str, wanted: Filter) -> Select[Any]:
    query = (
        select(Customer)
        .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
        .where(Customer.adaptor_id == adaptor_id, Customer.is_archived.is_(False))
    )
    if wanted.show == "active":
        query = query.where(ExportRule.active)
    elif wanted.show == "inactive":
        query = query.where(or_(ExportRule.id.is_(None), ExportRule.active.is_(False)))
    if wanted.text:
        escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        columns = (Customer.name, Customer.registration_no, Customer.gln, Customer.number)
        query = query.where(or_(*(column.ilike(f"%{escaped}%", escape="\\") for column in columns)))
    return query


def customers_page(adaptor_id: str, wanted: Filter, size: int = PAGE) -> Page:
    """Customers by name, with their rules."""
    matching = _matching(adaptor_id, wanted)
    count = db.session.scalar(select(func.count()).select_from(matching.with_only_columns(Customer.id).subquery())) or 0
    name, _, last_id = wanted.after.partition("\x1f")
    if last_id:
        matching = matching.where(or_(Customer.name > name, and_(Customer.name == name, Customer.id > last_id)))
    rows = list(
        db.session.scalars(
            matching.options(selectinload(Customer.rule)).order_by(Customer.name, Customer.id).limit(size + 1)
        )
    )
    last = rows[size - 1] if len(rows) > size else None
    return Page(rows[:size], f"{last.name}\x1f{last.id}" if last else "", count)


def matching_ids(adaptor_id: str, wanted: Filter) -> list[str]:
    """Ids of all customers that match, for "all matching"."""
    return list(db.session.scalars(_matching(adaptor_id, wanted).with_only_columns(Customer.id)))


def counts(adaptor_id: str) -> dict[str, int]:
    """``customers`` and ``active``."""
    customers = db.session.scalar(
        select(func.count()).where(Customer.adaptor_id == adaptor_id, Customer.is_archived.is_(False))
    )
    active = db.session.scalar(select(func.count()).where(ExportRule.adaptor_id == adaptor_id, ExportRule.active))
    return {"customers": customers or 0, "active": active or 0}


def _check_pair(subscription_id: str, format_id: str, gateway_id: str) -> None:
    errors: dict[str, Text] = {}
    gateway = db.session.scalar(
        select(Gateway).where(Gateway.id == gateway_id, Gateway.subscription_id == subscription_id)
    )
    if format_id not in formats():
        errors["format"] = Text("Vælg et format.", "Choose a format.")
    if gateway is None:
        errors["gateway"] = Text("Vælg en gateway.", "Choose a gateway.")
    elif not errors:
        accepts = transports()[gateway.kind].accepts
        if accepts is not None and format_id not in accepts:
            errors["format"] = Text("Gatewayen kan ikke sende dette format.", "The gateway cannot send this format.")
    if errors:
        raise InvalidInput(errors)


def _within_reach(customer_ids: Sequence[str]) -> None:
    if len(customer_ids) > MOST_AT_ONCE:
        raise ServiceError(Text("Vælg højst 30.000 kunder ad gangen.", "Choose at most 30,000 customers at a time."))


def activate(adaptor_id: str, customer_ids: Sequence[str], format_id: str, gateway_id: str) -> int:
    """Activate customers; how many. Ids of other adaptors are ignored. Raises ``InvalidInput``, ``ServiceError``.

    A customer that is active already gets the new format and gateway. Documents
    that were read before are not sent by themselves (``waiting`` counts them);
    a manual export takes them.
    """
    _within_reach(customer_ids)
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id)
        _check_pair(adaptor.subscription_id, format_id, gateway_id)
        customers = session.scalars(
            select(Customer).where(Customer.adaptor_id == adaptor_id, Customer.id.in_(customer_ids))
        ).all()
        for customer in customers:
            rule = customer.rule
            if rule is None:
                rule = ExportRule(
                    subscription_id=adaptor.subscription_id, adaptor_id=adaptor_id, customer_id=customer.id, settings={}
                )
                session.add(rule)
            rule.active, rule.format, rule.gateway_id = True, format_id, gateway_id
    return len(customers)


def waiting(adaptor_id: str, customer_ids: Sequence[str]) -> int:
    """Documents of these customers that were read while nothing was to be sent; those before the start date never are."""
    found = (
        select(func.count(Document.id.distinct()))
        .join(
            Customer,
            and_(Customer.adaptor_id == Document.adaptor_id, Customer.source_id == Document.customer_source_id),
        )
        .join(Adaptor, Adaptor.id == Document.adaptor_id)
        .where(
            Document.adaptor_id == adaptor_id,
            Document.stage == Stage.LISTED,
            Customer.id.in_(customer_ids),
            or_(Adaptor.start_date.is_(None), Document.issue_date >= Adaptor.start_date),
        )
    )
    return db.session.scalar(found) or 0


def deactivate(adaptor_id: str, customer_ids: Sequence[str]) -> int:
    """Stop exporting to customers; how many were active. Their settings are kept. Raises ``ServiceError``."""
    _within_reach(customer_ids)
    with transaction() as session:
        result: Any = session.execute(
            update(ExportRule)
            .where(ExportRule.adaptor_id == adaptor_id, ExportRule.customer_id.in_(customer_ids), ExportRule.active)
            .values(active=False, updated_at=utcnow())
        )
    return int(result.rowcount)


def setting_groups(rule: ExportRule | None) -> tuple[str, ...]:
    """The groups of settings that a customer has: the general ones, and the options of its output format."""
    fmt = formats().get(rule.format) if rule else None
    return (*GROUPS, FORMATS + fmt.id) if fmt and fmt.options else tuple(GROUPS)


def save_overrides(customer_id: str, raw: Mapping[str, str]) -> int:
    """Keep one customer's settings from form values named ``<group>.<field>``; empty means inherit.

    Documents that were blocked are converted again; how many. Raises ``InvalidInput``, ``ServiceError``.
    """
    with transaction() as session:
        rule = session.scalar(select(ExportRule).where(ExportRule.customer_id == customer_id))
        if rule is None:
            raise ServiceError(Text("Aktivér kunden først.", "Activate the customer first."))
        groups = posted(setting_groups(rule), raw)
        # VAT choices and other formats' options are not in this form; they stay.
        rule.settings = with_groups(rule.settings, from_form(groups, raw), groups)
    return release_blocked(customer_id)


def _release(belongs: ColumnElement[bool]) -> int:
    """Queue documents whose delivery is blocked; how many."""
    # In this order, as everybody does: the documents are locked, then their deliveries are looked at. Looked at
    # first, a delivery could be cancelled in between, and its document would be sent all the same.
    with transaction() as session:
        blocked = select(Delivery.document_id).where(Delivery.state == DeliveryState.BLOCKED)
        documents = session.scalars(
            select(Document)
            .where(belongs, Document.stage == Stage.CONVERTED, Document.id.in_(blocked))
            .order_by(Document.id)
            .with_for_update(of=Document, key_share=True)
            .execution_options(populate_existing=True)
        ).all()
        still = set(session.scalars(blocked.join(Document, Document.id == Delivery.document_id).where(belongs)))
        released = [document for document in documents if document.id in still]
        for document in released:
            queue(document, run_id=document.run_id)
    if released:
        bell.ring("convert")
    return len(released)


def release_blocked(customer_id: str) -> int:
    """Convert a customer's blocked documents again, after something was mended; how many."""
    return _release(Document.customer_id == customer_id)


def release_all_blocked(adaptor_id: str) -> int:
    """The same for all customers of an adaptor, after its common settings or VAT categories changed."""
    return _release(Document.adaptor_id == adaptor_id)


def format_choices() -> list[tuple[str, Text]]:
    """Formats that a customer can get: id and label, by label."""
    return sorted(((item.id, item.label) for item in formats().values()), key=lambda choice: choice[1].da.lower())


def hints(customer: Customer) -> list[Text]:
    """What the source does not say and most formats need; the customer's own settings count."""
    override = (customer.rule.settings if customer.rule else {}).get("customer") or {}
    found = []
    if not (customer.gln or customer.registration_no or override.get("endpoint")):
        found.append(Text("Mangler EAN eller CVR", "No EAN or CVR"))
    if not (customer.country or override.get("country")):
        found.append(Text("Mangler land", "No country"))
    return found
