"""Switching four eyes on and off. What was in use until then counts as approved, so that nothing stops that day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import exists, func, select
from sqlalchemy.orm import selectinload

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.fields import Field, FieldType, parse_all
from invoiceapp.domain.findings import Text
from invoiceapp.domain.four_eyes import (
    DEFAULT_FACTOR,
    Account,
    Fact,
    Kind,
    Rules,
    Switch,
    account_fact,
    accounts_of,
    endpoint_fact,
)
from invoiceapp.domain.money import typed_amount
from invoiceapp.domain.permissions import ADMINISTRATORS
from invoiceapp.domain.settings import SettingsInvalid
from invoiceapp.gateways.base import registry
from invoiceapp.models import (
    Adaptor,
    Approval,
    ApprovalState,
    Attempt,
    Customer,
    Delivery,
    Document,
    ExportRule,
    Gateway,
    Membership,
    Rendition,
    Subscription,
    db,
    utcnow,
)
from invoiceapp.services.configuration import releasing, sources
from invoiceapp.services.configuration.naming import receiver_email
from invoiceapp.services.configuration.settings import resolve
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.export import four_eyes, standing, trials
from invoiceapp.services.people import access
from invoiceapp.sources.base import UnusableBundle

from . import destinations, letting_go
from . import words as approval_words

_CHUNK = 500
#: Documents that were sent before accounts were noted, of which accounts are read.
_OLD = 100
#: Of ``Subscription.four_eyes``.
_WISH = "wish"

_ANOTHER = Text(
    "En anden ejer eller administrator end den, der har bedt om det, skal godkende.",
    "Another owner or administrator than the one who asked for it must approve.",
)
_MOVED_ON = Text(
    "Der er sket noget andet i mellemtiden. Se siden igen.",
    "Something else has happened meanwhile. Look at the page again.",
)

_AMOUNT_WANTED = Text("Skriv et beløb, f.eks. 100.000,00.", "Enter an amount, for example 100,000.00.")
_GROUP = Text("Hvad venter på en anden person", "What waits for another person")
_AMOUNTS = (Switch.AMOUNTS.value, ("true",))

FIELDS = (
    Field(
        Switch.ACCOUNTS.value, Text("Ny bankkonto eller FIK-kreditor", "New bank account or FIK creditor"), FieldType.BOOLEAN,
        default=False, group=_GROUP,
        help=Text("Den konto, fakturaerne skal betales til, uanset om den er rettet her eller i Billy.", "The account that invoices ask to be paid to, whether it was changed here or in Billy."),
    ),
    Field(
        Switch.DESTINATIONS.value, Text("Ny modtageradresse eller gateway-adresse", "New receiver's address or gateway host"),
        FieldType.BOOLEAN, default=False, group=_GROUP,
        help=Text("Hvor dokumenterne sendes hen: gatewayens server, kundens elektroniske adresse eller e-mail.", "Where documents are sent: the gateway's server, the customer's electronic address or e-mail."),
    ),
    Field(
        Switch.CUSTOMERS.value, Text("Første faktura til en kunde", "First invoice to a customer"), FieldType.BOOLEAN,
        default=False, group=_GROUP,
    ),
    Field(
        Switch.AMOUNTS.value, Text("Beløb langt over det normale", "Amount far above normal"), FieldType.BOOLEAN, default=False,
        group=_GROUP,
        help=Text("Det normale er det midterste beløb af kundens seneste 20 sendte dokumenter, når der er mindst 3.", "Normal is the middle amount of the customer's last 20 sent documents, where there are at least 3."),
    ),
    Field(
        "factor", Text("Hvor mange gange det normale", "How many times the normal amount"), FieldType.INTEGER,
        default=DEFAULT_FACTOR, smallest=2, largest=1000, group=_GROUP, only_when=_AMOUNTS,
    ),
    Field(
        "ceiling", Text("Altid over dette beløb", "Always above this amount"), FieldType.DECIMAL, group=_GROUP, only_when=_AMOUNTS,
        help=Text("I dokumentets egen valuta, med moms. Tomt: intet loft.", "In the document's own currency, with VAT. Empty: no ceiling."),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did."""

    baseline: int = 0
    """Values that count as approved because they were in use"""
    released: int = 0
    """Documents that waited for a second person, and go on"""
    waits: bool = False
    """For a second owner or administrator; nothing is changed yet"""


@dataclass(frozen=True, slots=True)
class Wish:
    """Looser rules that one person has asked for, and that another must approve."""

    rules: Rules
    user_id: str
    by: str
    """E-mail"""
    at: str
    """ISO 8601"""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self | None:
        """Of ``Subscription.four_eyes``."""
        kept = stored.get(_WISH)
        return cls(Rules.of(kept["rules"]), kept["user_id"], kept["by"], kept["at"]) if kept else None

    def to_dict(self) -> dict[str, Any]:
        """The stored form."""
        return {"rules": self.rules.to_dict(), "user_id": self.user_id, "by": self.by, "at": self.at}


def values_of(subscription: Subscription) -> dict[str, Any]:
    """For the form."""
    return _values(Rules.of(subscription.four_eyes))


def _values(rules: Rules) -> dict[str, Any]:
    return {switch.value: switch in rules.on for switch in Switch} | {"factor": rules.factor, "ceiling": rules.ceiling}


def _read(raw: Mapping[str, str]) -> Rules:
    """Raises ``InvalidInput``."""
    raw = dict(raw)
    if typed := raw.get("ceiling", "").strip():
        amount = typed_amount(typed)
        raw["ceiling"] = "?" if amount is None else f"{amount:f}"
    values, errors = parse_all(FIELDS, raw)
    if "ceiling" in errors:
        errors["ceiling"] = _AMOUNT_WANTED
    ceiling: Decimal | None = values.get("ceiling")
    if ceiling is not None and ceiling <= 0:
        errors["ceiling"] = Text("Skriv et beløb over 0.", "Enter an amount above 0.")
    if errors:
        raise InvalidInput(errors)
    return Rules(frozenset(switch for switch in Switch if values[switch.value]), values["factor"], ceiling)


def save(subscription_id: str, raw: Mapping[str, str], member: Membership) -> Saved:
    """Switch on and off. What loosens something waits for a second owner or administrator, where there is one.

    Raises ``InvalidInput``.
    """
    rules, by = _read(raw), member.user.email
    with transaction():
        row = _held(subscription_id)
        before = Rules.of(row.four_eyes)
        if rules == before:
            if _WISH in row.four_eyes:
                row.four_eyes = before.to_dict()
            return Saved()
        if rules.loosens(before) and _has_other(subscription_id, member.user_id):
            wish = Wish(rules, member.user_id, by, utcnow().isoformat())
            row.four_eyes = {**before.to_dict(), _WISH: wish.to_dict()}
            return Saved(waits=True)
        count = _switch(row, rules)
    return Saved(count, _look_again(subscription_id, before, rules, by))


def decide(subscription_id: str, member: Membership, at: str, *, is_approved: bool) -> Saved:
    """Let another's wish (``Wish.at``) come true, or end it; its own person may end it too.

    Raises ``Conflict``, ``ServiceError``.
    """
    with transaction():
        row = _held(subscription_id)
        wish = Wish.of(row.four_eyes)
        if wish is None or wish.at != at:
            raise Conflict(_MOVED_ON)
        if not is_approved:
            row.four_eyes = Rules.of(row.four_eyes).to_dict()
            return Saved()
        if wish.user_id == member.user_id or not _is_administrator(member):
            raise ServiceError(_ANOTHER)
        before = Rules.of(row.four_eyes)
        count = _switch(row, wish.rules)
    return Saved(count, _look_again(subscription_id, before, wish.rules, member.user.email))


def _held(subscription_id: str) -> Subscription:
    return db.session.get_one(
        Subscription, subscription_id, with_for_update={"key_share": True}, populate_existing=True
    )


def _has_other(subscription_id: str, user_id: str) -> bool:
    """Whether somebody else may approve what the person asks for."""
    others = select(Membership).where(Membership.subscription_id == subscription_id, Membership.user_id != user_id)
    return any(_is_administrator(member) for member in db.session.scalars(others))


def _is_administrator(member: Membership) -> bool:
    return access.is_active(member) and member.role in ADMINISTRATORS and bool(member.user.active)


def _switch(row: Subscription, rules: Rules) -> int:
    """How many values count as approved by that. Inside the caller's transaction."""
    begun = Rules(rules.on - Rules.of(row.four_eyes).on)
    row.four_eyes = rules.to_dict()
    if not begun.on:
        return 0
    adaptors = db.session.scalars(select(Adaptor).where(Adaptor.subscription_id == row.id).order_by(Adaptor.id)).all()
    return sum(_count_as_approved(adaptor, begun) for adaptor in adaptors)


def _look_again(subscription_id: str, before: Rules, rules: Rules, actor: str) -> int:
    """What is to be sent obeys, and what waited for no other reason goes; how many documents go on.

    What a crash leaves undone here, ``letting_go.finish`` or the last look does.
    """
    if before.loosens(rules):
        _take_back(subscription_id, actor)
    if not rules.loosens(before):
        return 0
    released = letting_go.finish_all(subscription_id)
    return released + (letting_go.look_again_at_amounts(subscription_id) if rules.watches(Kind.AMOUNT) else 0)


def _take_back(subscription_id: str, actor: str) -> None:
    """Build again what is to be sent, so that it waits now and not when it is due."""
    with transaction() as session:
        to_be_sent = select(Document.id).where(
            Document.subscription_id == subscription_id, Document.status == DeliveryState.PENDING.value
        )
        ids = session.scalars(to_be_sent.order_by(Document.id)).all()
    for start in range(0, len(ids), _CHUNK):
        # By their ids: what is taken back is not pending any more.
        releasing.after_change(Document.id.in_(ids[start : start + _CHUNK]), actor)


def changes(before: Rules, after: Rules) -> list[Text]:
    """What a wish would change, one line each."""
    old, new = _values(before), _values(after)
    return [_change(field, old[field.name], new[field.name]) for field in FIELDS if old[field.name] != new[field.name]]


def _change(field: Field, old: object, new: object) -> Text:
    one, other = _said(old), _said(new)
    return Text(f"{field.label.da}: {one.da} → {other.da}", f"{field.label.en}: {one.en} → {other.en}")


def _said(value: object) -> Text:
    if value is None:
        return Text("intet loft", "no ceiling")
    if isinstance(value, bool):
        return Text("til", "on") if value else Text("fra", "off")
    return approval_words.money(value) if isinstance(value, Decimal) else Text(str(value), str(value))


def _count_as_approved(adaptor: Adaptor, rules: Rules) -> int:
    """What has been used by documents that have left; how many values.

    What waited, was refused or withdrawn stays so, although it was sent while nobody had to approve it. First invoices and
    amounts need nothing: what was sent speaks for itself.
    """
    found = {fact.fingerprint: fact for fact in _used(adaptor, rules)}
    new = {"state": ApprovalState.APPROVED, "is_baseline": True, "decided_at": utcnow()}
    keys, count = sorted(found), 0
    for start in range(0, len(keys), _CHUNK):
        part = keys[start : start + _CHUNK]
        undecided = select(func.count()).where(
            Approval.adaptor_id == adaptor.id, Approval.fingerprint.in_(part), Approval.state != ApprovalState.APPROVED
        )  # fmt: skip
        count += len(part) - (db.session.scalar(undecided) or 0)
        rows = [four_eyes.as_row(adaptor.subscription_id, adaptor.id, found[key]) | new for key in part]
        four_eyes.insert_all(rows)
    return count


def _used(adaptor: Adaptor, rules: Rules) -> Iterator[Fact]:
    if rules.watches(Kind.ACCOUNT):
        yield from (account_fact(adaptor.id, account) for account in _accounts(adaptor))
    if rules.watches(Kind.GATEWAY):
        yield from _destinations(adaptor)


def _accounts(adaptor: Adaptor) -> Iterator[Account]:
    used = (
        select(Rendition.accounts)
        .join(Delivery, Delivery.rendition_id == Rendition.id)
        .where(Delivery.adaptor_id == adaptor.id, trials.left_for_real())
        .distinct()
    )
    for stored in db.session.scalars(used).all():
        yield from (Account(**account) for account in stored or ())
    old = (
        select(Document.bundle, ExportRule.settings)
        .join(ExportRule, ExportRule.customer_id == Document.customer_id)
        .where(
            Document.adaptor_id == adaptor.id,
            exists().where(
                Delivery.document_id == Document.id,
                Delivery.rendition_id == Rendition.id,
                Rendition.accounts.is_(None),
                trials.left_for_real(),
            ),
        )
        .order_by(Document.issue_date.desc(), Document.id.desc())
        .limit(_OLD)
    )
    for bundle, override in db.session.execute(old).all():
        yield from _accounts_now(adaptor, bundle, override)


def _accounts_now(adaptor: Adaptor, bundle: Mapping[str, Any], override: Mapping[str, Any]) -> Iterable[Account]:
    """Of a document that was sent before accounts were noted: as it would be made today."""
    try:
        invoice = sources.source_class(adaptor).convert(bundle, resolve(adaptor.settings, override)).invoice
    except (UnusableBundle, SettingsInvalid):
        return ()
    return accounts_of(invoice.payment) if invoice else ()


def _led_there(adaptor: Adaptor, gateway: Gateway) -> bool:
    """Whether documents have left by the gateway as it is set now, as far as that was noted."""
    left = (
        select(Attempt.place)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(Delivery.adaptor_id == adaptor.id, Delivery.gateway_id == gateway.id, trials.left_for_real())
        .distinct()
    )
    places = set(db.session.scalars(left)) - {None}
    return not places or standing.opened(gateway).place in places


def _destinations(adaptor: Adaptor) -> Iterator[Fact]:
    """The gateways that lead where documents went, and the customers' addresses."""
    used = (
        select(Document.customer_id, Delivery.gateway_id, Rendition.receiver)
        .join(Delivery, Delivery.document_id == Document.id)
        .outerjoin(Rendition, Rendition.id == Delivery.rendition_id)
        .where(Delivery.adaptor_id == adaptor.id, trials.left_for_real())
        .distinct()
    )
    rows = db.session.execute(used).all()
    gateways = {
        row.id: row for row in db.session.scalars(select(Gateway).where(Gateway.id.in_({row[1] for row in rows})))
    }
    for gateway in gateways.values():
        if _led_there(adaptor, gateway):
            yield destinations.fact_of(adaptor.id, gateway)
    mailing = {key for key, row in gateways.items() if row.kind in registry() and registry()[row.kind].by_email}
    of_adaptor = select(Customer).where(Customer.adaptor_id == adaptor.id).options(selectinload(Customer.rule))
    customers = {row.id: row for row in db.session.scalars(of_adaptor)}
    for customer_id, gateway_id, receiver in rows:
        customer = customers.get(customer_id or "")
        address = receiver_email(customer, adaptor) if gateway_id in mailing else receiver
        if customer is not None and address:
            yield endpoint_fact(customer.id, customer.name, address)
