"""Export rules: activating customers, and letting go what waited for a correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import registry as formats
from invoiceapp.gateways.base import registry as transports
from invoiceapp.models import Adaptor, Customer, Delivery, Document, ExportRule, Gateway, Stage, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export.documents import queue

#: Parameters of one statement; SQLite and PostgreSQL end between 32 766 and 65 535.
MOST_AT_ONCE = 30_000


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
