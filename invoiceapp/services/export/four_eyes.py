"""The gate of four eyes: nothing leaves while a second person has not approved what is sensitive about it.

Documents are stopped where they get their delivery (``outbox.keep_rendition``), with words. The promise is kept by
``require``, in the transaction that commits the attempt before the first byte: whatever was changed meanwhile, here, in
the books, at the gateway, is looked at there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from invoiceapp.domain.delivery import DeliveryState, Mover
from invoiceapp.domain.findings import Finding
from invoiceapp.domain.four_eyes import (
    NORMAL_OF,
    Account,
    Fact,
    Kind,
    Rules,
    account_fact,
    accounts_of,
    amount_fact,
    customer_fact,
    endpoint_fact,
    unknown_account_fact,
    unusual,
)
from invoiceapp.domain.invoice import Invoice
from invoiceapp.gateways.base import registry
from invoiceapp.models import (
    Adaptor,
    Approval,
    ApprovalState,
    ApprovalWait,
    Customer,
    Delivery,
    Document,
    Environment,
    Gateway,
    Rendition,
    Subscription,
    cut,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.configuration import outgoing, releasing
from invoiceapp.services.configuration.naming import receiver_email
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery.moves import Lease, LeaseLost, lock_document, move
from invoiceapp.services.errors import text_dict
from invoiceapp.services.four_eyes import authors, destinations
from invoiceapp.services.four_eyes import words as approval_words

from . import events, outcomes, trials

log = logging.getLogger(__name__)

S = DeliveryState
#: In the error of a delivery that was tried before and waits for approval now.
CLASS = "FourEyes"
#: Values of the same kind that are named as the old ones.
_MOST_KNOWN = 3


class NotApproved(Exception):
    """Something about the delivery waits for a second person."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One document on its way out."""

    document: Document
    adaptor_id: str
    customer_id: str | None
    gateway: Gateway
    accounts: tuple[Account, ...] | None
    """None: made before accounts were noted"""
    receiver: str | None
    """The electronic address that the document names (BT-49)"""
    email: str | None
    """Where a gateway that sends mails would write to"""


def accounts_in(invoice: Invoice) -> list[dict[str, Any]]:
    """For ``Rendition.accounts``."""
    return [account.to_dict() for account in accounts_of(invoice.payment)]


def rules_of(subscription_id: str) -> Rules | None:
    """What the subscription has switched on; None where that is nothing."""
    stored = db.session.scalar(select(Subscription.four_eyes).where(Subscription.id == subscription_id))
    rules = Rules.of(stored or {})
    return rules if rules.on else None


def has_had_one(customer_id: str) -> bool:
    """Whether a document has left to the customer. Tests reach nobody, and what only waits may still be stopped."""
    of_customer = (Document.customer_id == customer_id) & (Delivery.document_id == Document.id)
    return bool(db.session.scalar(select(exists().where(of_customer, trials.left_for_real()))))


def email_to(customer_id: str | None, adaptor_id: str) -> str | None:
    """As ``consignments`` has it."""
    customer = db.session.get(Customer, customer_id, populate_existing=True) if customer_id else None
    return receiver_email(customer, db.session.get_one(Adaptor, adaptor_id))


def facts(one: Sending, rules: Rules) -> list[Fact]:
    """What is sensitive about it and watched over, in the order of fingerprints."""
    found = [fact for fact in _all_facts(one, rules) if rules.watches(fact.kind)]
    return sorted(found, key=lambda fact: fact.fingerprint)


def _all_facts(one: Sending, rules: Rules) -> Iterator[Fact]:
    if one.accounts is None:
        yield unknown_account_fact(one.document.id, one.document.number)
    for account in one.accounts or ():
        yield account_fact(one.adaptor_id, account)
    yield destinations.fact_of(one.adaptor_id, one.gateway)
    if one.customer_id is None:
        return
    transport = registry().get(one.gateway.kind)
    address = one.receiver
    if transport is not None and transport.by_email:
        address = None if one.gateway.config.get("recipient") else one.email
    if address:
        yield endpoint_fact(one.customer_id, one.document.customer_name, address)
    if rules.watches(Kind.CUSTOMER) and not has_had_one(one.customer_id):
        yield customer_fact(one.customer_id, one.document.customer_name)
    if rules.watches(Kind.AMOUNT):
        yield from _amount(one, rules)


def _amount(one: Sending, rules: Rules) -> Iterator[Fact]:
    document = one.document
    newest = (
        select(Document.net, Document.vat)
        .where(
            Document.customer_id == one.customer_id,
            Document.currency == document.currency,
            Document.id != document.id,
            exists().where(Delivery.document_id == Document.id, trials.left_for_real()),
        )
        .order_by(Document.issue_date.desc(), Document.id.desc())
        .limit(NORMAL_OF)
    )
    before = [net + vat for net, vat in db.session.execute(newest)]
    found = unusual(document.gross, before, rules)
    if found is not None:
        yield amount_fact(
            document.id, document.customer_name, document.number, document.gross, document.currency, found
        )


def of_delivery(delivery: Delivery, email: str | None = None) -> Sending:
    """A delivery as things are now; ``email`` is what it would really use, where that is known."""
    document, adaptor_id = db.session.get_one(Document, delivery.document_id), delivery.adaptor_id
    rendition = db.session.get(Rendition, delivery.rendition_id) if delivery.rendition_id else None
    gateway = db.session.get_one(Gateway, delivery.gateway_id, populate_existing=True)
    stored = rendition.accounts if rendition else []
    accounts = None if stored is None else tuple(Account(**account) for account in stored)
    return Sending(
        document, adaptor_id, document.customer_id, gateway, accounts,
        rendition.receiver if rendition else None, email or email_to(document.customer_id, adaptor_id),
    )  # fmt: skip


def _watched(one: Sending, rules: Rules) -> list[Fact]:
    """Nothing of a test adaptor, which reaches nobody. A gateway is a test one because somebody has said so."""
    environment = db.session.scalar(select(Adaptor.environment).where(Adaptor.id == one.adaptor_id))
    is_test = environment is Environment.TEST and one.gateway.environment is Environment.TEST
    return [] if is_test else facts(one, rules)


def require(delivery_id: str, switched_on: Mapping[str, Any] | None, email: str | None) -> None:
    """The last look before the first byte, by ``Subscription.four_eyes``. Raises ``NotApproved``.

    Inside the caller's transaction, which holds the gateway; until its end nobody withdraws an approval that it rests on.
    """
    rules = Rules.of(switched_on or {})
    if not rules.on:
        return
    delivery = db.session.get_one(Delivery, delivery_id, populate_existing=True)
    wanted = {fact.fingerprint for fact in _watched(of_delivery(delivery, email), rules)}
    approved = select(Approval.fingerprint).where(
        Approval.adaptor_id == delivery.adaptor_id,
        Approval.fingerprint.in_(wanted),
        Approval.state == ApprovalState.APPROVED,
    )
    if wanted - set(db.session.scalars(approved.with_for_update(read=True))):
        raise NotApproved


def missing(one: Sending) -> list[Approval]:
    """What a second person has not approved; kept, so that they can. Inside the caller's transaction."""
    rules = rules_of(one.document.subscription_id)
    found = _watched(one, rules) if rules else []
    rows = keep(one, found) if found else []
    return [row for row in rows if row.state is not ApprovalState.APPROVED]


def would_wait(delivery_id: str) -> bool:
    """Whether it will be stopped until a second person approves it."""
    with transaction() as session:
        return bool(missing(of_delivery(session.get_one(Delivery, delivery_id, populate_existing=True))))


def keep(one: Sending, found: Iterable[Fact]) -> list[Approval]:
    """The rows of the facts, made where there are none yet."""
    by_fingerprint = {fact.fingerprint: fact for fact in found}
    query = (
        select(Approval)
        .where(Approval.adaptor_id == one.adaptor_id, Approval.fingerprint.in_(by_fingerprint))
        .order_by(Approval.fingerprint)
        .execution_options(populate_existing=True)
    )
    rows = db.session.scalars(query).all()
    new = [by_fingerprint[key] for key in sorted(by_fingerprint.keys() - {row.fingerprint for row in rows})]
    if not new:
        return list(rows)
    subscription_id = one.document.subscription_id
    insert_all(
        [
            as_row(subscription_id, one.adaptor_id, fact) | {"known": list(fact.known) or _known(one.adaptor_id, fact)}
            for fact in new
        ]
    )
    return list(db.session.scalars(query))


def as_row(subscription_id: str, adaptor_id: str, fact: Fact) -> dict[str, Any]:
    """The columns of an ``Approval`` that waits."""
    return {
        "id": new_id(), "created_at": utcnow(), "subscription_id": subscription_id, "adaptor_id": adaptor_id,
        "kind": fact.kind, "scope": fact.scope, "subject": fact.subject, "fingerprint": fact.fingerprint,
        "shown": cut(fact.shown, 1000), "about": cut(fact.about, 500), "known": [], "atoms": sorted(fact.atoms),
        "state": ApprovalState.WAITING, "is_baseline": False, "history": [],
    }  # fmt: skip


def insert_all(rows: Sequence[dict[str, Any]]) -> None:
    """Those that are not there yet: two documents may bring the same account at the same moment."""
    dialect = postgresql if db.session.get_bind().dialect.name == "postgresql" else sqlite
    db.session.execute(dialect.insert(Approval.__table__).on_conflict_do_nothing(), list(rows))


def _known(adaptor_id: str, fact: Fact) -> list[str]:
    """What was approved in its place, newest first."""
    query = (
        select(Approval.shown)
        .where(
            Approval.adaptor_id == adaptor_id,
            Approval.kind == fact.kind,
            Approval.scope == fact.scope,
            Approval.subject == fact.subject,
            Approval.state == ApprovalState.APPROVED,
        )
        .order_by(Approval.id.desc())
        .limit(_MOST_KNOWN)
    )
    return list(db.session.scalars(query))


def findings(one: Sending) -> list[Finding]:
    """Why the document, which is locked, stays. What it waits for is noted. Inside the caller's transaction."""
    forget(one.document.id)
    rows = missing(one)
    if rows:
        waits = [{"approval_id": row.id, "document_id": one.document.id} for row in rows]
        db.session.execute(insert(ApprovalWait), waits)
    return [approval_words.finding(row, authors.asking(row)) for row in rows]


def forget(document_id: str) -> None:
    """It waits for nobody's approval any more. Inside the caller's transaction."""
    db.session.execute(
        delete(ApprovalWait).where(ApprovalWait.document_id == document_id).execution_options(synchronize_session=False)
    )


def stop(lease: Lease) -> None:
    """What was leased and is not approved does not leave.

    What never left is blocked, and built anew once it is approved. What was tried before, or is sent again, are those
    bytes: it has failed, or nobody knows whether it arrived.
    """
    try:
        document_id = _stop(lease)
    except LeaseLost:
        log.warning("delivery %s was taken over before it could be stopped", lease.delivery_id)
        return
    if document_id:
        releasing.after_change(Document.id == document_id)


def _is_to_be_made_anew(delivery: Delivery, one: Sending) -> bool:
    """Whether its account is watched and was not noted, so that it must be read again; what has left stays as it is."""
    rules = rules_of(delivery.subscription_id)
    is_unknown = one.accounts is None and rules is not None and rules.watches(Kind.ACCOUNT)
    has_left = Delivery.first_sent_at.is_not(None) | (Delivery.tries > 0) | outgoing.repeats()
    return is_unknown and not db.session.scalar(select(exists().where(Delivery.id == delivery.id, has_left)))


def _stop(lease: Lease) -> str | None:
    """The document that is to be made anew."""
    with transaction() as session:
        lock_document(lease.delivery_id)
        delivery = session.get_one(Delivery, lease.delivery_id, populate_existing=True)
        one = of_delivery(delivery)
        if _is_to_be_made_anew(delivery, one):
            move(lease, S.LEASED, S.PENDING, Mover.HOLDER, next_at=utcnow(), lease_owner=None)
            return delivery.document_id
        found = findings(one)
        stored = [one for one in delivery.findings if one["rule"] != approval_words.RULE]
        stored += [one.to_dict() for one in found]
        has_left = Delivery.first_sent_at.is_not(None) | outgoing.repeats()
        is_old = session.scalar(select(Delivery.id).where(Delivery.id == delivery.id, has_left))
        if is_old and found:
            error = text_dict(found[0].text, **{"class": CLASS})
            state = S.OUTCOME_UNKNOWN if outcomes.may_have_arrived(delivery.id) else S.FAILED
            ended = utcnow() if state is S.FAILED else None
            move(lease, S.LEASED, state, Mover.HOLDER, next_at=None, lease_owner=None, error=error, finished_at=ended)
        else:
            move(lease, S.LEASED, S.PENDING, Mover.HOLDER, next_at=utcnow(), lease_owner=None)
            if found:
                move(lease, S.PENDING, S.BLOCKED, Mover.DISPATCHER, next_at=None, findings=stored)
        session.refresh(delivery)
        if found:
            events.of_delivery(delivery.state.value, delivery, rules=[approval_words.RULE], **text_dict(found[0].text))
    return None
