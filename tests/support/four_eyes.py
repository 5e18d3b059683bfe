"""Four eyes in tests: people, switches, documents that wait, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.domain.four_eyes import Kind
from invoiceapp.models import (
    Adaptor,
    Approval,
    ApprovalState,
    Customer,
    Delivery,
    Document,
    Gateway,
    Membership,
    Rendition,
    Role,
    Stage,
    Subscription,
    User,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services import audit
from invoiceapp.services.database import transaction
from invoiceapp.services.export import conversion, delivery, four_eyes
from invoiceapp.services.four_eyes import setting as four_eyes_setting
from invoiceapp.services.four_eyes import words as approval_words

S, A = DeliveryState, ApprovalState
RULE = approval_words.RULE
ALL = {"accounts": "true", "destinations": "true", "customers": "true", "amounts": "true"}


@pytest.fixture
def addressed(partner, monkeypatch):
    monkeypatch.setattr(partner, "fields", (Field("host", Text("Server", "Server"), required=True, is_address=True),))


@pytest.fixture
def people(subscription) -> Callable[..., Membership]:
    """``people("anna", Role.ADMIN)``: a member."""

    def make(name: str, role: Role = Role.ADMIN) -> Membership:
        user = User(email=f"{name}@example.com", name=name, active=True, fs_uniquifier=new_id())
        db.session.add(user)
        db.session.flush()
        member = Membership(subscription_id=subscription.id, user_id=user.id, role=role)
        db.session.add(member)
        db.session.commit()
        return member

    return make


@pytest.fixture
def anna(people) -> Membership:
    return people("anna")


@pytest.fixture
def owner(user) -> Membership:
    member: Membership = user.memberships[0]
    return member


@pytest.fixture
def switch(subscription, owner) -> Callable[..., four_eyes_setting.Saved]:
    """``switch(accounts="true")``: these on, the others off."""
    key = subscription.id
    return lambda **on: four_eyes_setting.save(key, on, again(owner))


def only(document_id: str) -> Delivery:
    db.session.expire_all()
    return db.session.scalars(
        select(Delivery).where(Delivery.document_id == document_id, Delivery.state != S.SUPERSEDED)
    ).one()


def sent(queued: Any, number: str = "1001", **columns: Any) -> str:
    """A document that has left; its id."""
    key: str = queued(number, **columns).id
    conversion.convert_due()
    delivery.deliver_due()
    assert only(key).state is S.DELIVERED
    return key


def converted(queued: Any, number: str, **columns: Any) -> str:
    key: str = queued(number, **columns).id
    conversion.convert_due()
    return key


def stopped_by(document_id: str) -> list[dict[str, Any]]:
    return [found for found in only(document_id).findings if found["severity"] == "fatal"]


def rows(kind: Kind | None = None, state: ApprovalState | None = None) -> list[Approval]:
    db.session.expire_all()
    found = db.session.scalars(select(Approval).order_by(Approval.id))
    return [row for row in found if kind in (None, row.kind) and state in (None, row.state)]


def ids(kind: Kind | None = None, state: ApprovalState | None = A.WAITING) -> list[str]:
    return [row.id for row in rows(kind, state)]


def new_account(adaptor_id: str, iban: str = "DK5000400440116243") -> None:
    """As if somebody had saved it, and what waits were made anew."""
    adaptor = db.session.get_one(Adaptor, adaptor_id)
    adaptor.settings = {"supplier": {"paymentMethod": "iban", "iban": iban, "bic": "DABADKKK"}}
    db.session.commit()


def move_gateway(gateway_id: str, host: str = "evil.example", **config: Any) -> None:
    db.session.get_one(Gateway, gateway_id).config = {"host": host, **config}
    db.session.commit()


def go_on() -> None:
    conversion.convert_due()
    delivery.deliver_due()


def again(member: Membership) -> Membership:
    """As a new request reads it."""
    db.session.expire_all()
    return db.session.get_one(Membership, member.id)


def as_user(member: Membership) -> Any:
    """What happens inside is done by the member."""
    user = again(member).user
    return audit.acting(user.email, user_id=user.id, subscription_id=member.subscription_id)


@pytest.fixture
def like(make_document, shelf) -> Callable[..., str]:
    """``like(document_id, times=1)``: another queued document of the same customer; its id."""

    def make(key: str, times: int = 1) -> str:
        old = db.session.get_one(Document, key)
        customer = db.session.get_one(Customer, old.customer_id)
        number = f"2{db.session.query(Document).count():03}"
        row: Document = make_document(
            customer, number, bundle=old.bundle, bundle_sha256="1" * 64, stage=Stage.QUEUED, net=old.net * times,
            vat=old.vat * times,
        )  # fmt: skip
        return row.id

    return make


def wired(subscription: Subscription, row: Delivery, on: list[str] | None = None) -> str:
    """A delivery of an account that is ready to leave, with four eyes on; its document's id."""
    db.session.get_one(Subscription, subscription.id).four_eyes = {"on": on or ["accounts", "destinations"]}
    account = {"number": "DK/0040/0440116243", "shown": "DK50 0040 0440 1162 43", "is_slip": False}
    db.session.get_one(Rendition, row.rendition_id).accounts = [account]
    db.session.commit()
    return row.document_id


def approve_all(document_id: str) -> None:
    """What is sensitive about the document, as if two had looked at it."""
    with transaction():
        missing = four_eyes.missing(four_eyes.of_delivery(only(document_id)))
        for row in missing:
            row.state = A.APPROVED
    assert missing


def due_again(document_id: str) -> None:
    only(document_id).next_at = utcnow()
    db.session.commit()
