"""Subscriptions that want to be found by the others of this installation: only whoever says so, and only as themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import select

from invoiceapp.current import config
from invoiceapp.domain.fields import Field, FieldInvalid, FieldType, parse
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import CVR, SE, Participant, cvr_from
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Adaptor, Receiver, db
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.export import events

from . import lookups, settings
from .routes import Listed, participant_of, shown

_EMAIL = Field("email", Text("E-mail", "E-mail"), FieldType.EMAIL, required=True)
_MOST = 50


def own(subscription_id: str) -> Receiver | None:
    """What a subscription has declared, also where it is withdrawn."""
    return db.session.scalar(select(Receiver).where(Receiver.subscription_id == subscription_id))


def declare(
    subscription_id: str, *, name: str, participants: Iterable[str], format_ids: Sequence[str], email: str, actor: str
) -> None:
    """Let the others find the subscription under its addresses (``0184:12345678``). Raises ``InvalidInput``.

    An address must be the company's own, because invoices to it would come here: its CVR number is the one that its
    accounting system names, and its GLNs are registered under that. No transaction may be open.
    """
    addresses, errors = _addresses(subscription_id, list(dict.fromkeys(map(str.strip, participants))))
    if not name.strip():
        errors["name"] = Text("Skriv virksomhedens navn.", "Write the company's name.")
    if not format_ids or any(one not in formats() for one in format_ids):
        errors["formats"] = Text("Vælg mindst ét format.", "Choose at least one format.")
    try:
        checked = str(parse(_EMAIL, email))
    except FieldInvalid as error:
        errors["email"], checked = error.text, ""
    if errors:
        raise InvalidInput(errors)
    with transaction() as session:
        row = own(subscription_id) or Receiver(subscription_id=subscription_id)
        row.name, row.email, row.formats = name.strip()[:200], checked[:255], list(dict.fromkeys(format_ids))
        row.participants, row.is_listed = [str(one) for one in addresses], True
        session.add(row)
        events.record("receiver_declared", subscription_id=subscription_id, actor=actor, participants=row.participants)


def withdraw(subscription_id: str, actor: str) -> None:
    """Be found no more; customers that send already go on until a person changes them."""
    with transaction():
        row = own(subscription_id)
        if row is not None and row.is_listed:
            row.is_listed = False
            events.record("receiver_withdrawn", subscription_id=subscription_id, actor=actor)


def _addresses(subscription_id: str, typed: Sequence[str]) -> tuple[list[Participant], dict[str, Text]]:
    found = [participant_of(one) for one in typed if one]
    parsed = [Participant.of(one.scheme, one.value) for one in found if one is not None]
    if not parsed or len(parsed) != len(found) or len(parsed) > _MOST:
        return [], {"participants": Text("Skriv mindst én adresse.", "Write at least one address.")}
    with transaction():
        numbers = _own_numbers(subscription_id)
        place = _place_of_proof(subscription_id)
    for one in parsed:
        if not one.is_well_formed:
            return [], {"participants": _wrong(one)}
        is_own = one.scheme in (CVR, SE) and one.value.removeprefix("DK") in numbers
        if not (is_own or (place is not None and _is_registered(place, one, numbers))):
            return [], {"participants": _not_own(one)}
    return parsed, {}


def _place_of_proof(subscription_id: str) -> lookups.Place | None:
    """In production the real registers, whatever the subscription has set: one of its own would prove what it likes."""
    place = lookups.place_of(subscription_id)
    if place is None or not config().production:
        return place
    return replace(place, settings=settings.of_config({"lookup": "live"}))


def _own_numbers(subscription_id: str) -> set[str]:
    """CVR numbers of the companies whose accounting systems the subscription has opened."""
    rows = db.session.scalars(
        select(Adaptor.organization).where(Adaptor.subscription_id == subscription_id, Adaptor.deleted_at.is_(None))
    )
    named = (cvr_from(str(row.get("registration_no") or "")) for row in rows if row)
    return {number for number in named if number}


def _is_registered(place: lookups.Place, participant: Participant, numbers: Iterable[str]) -> bool:
    """Whether NemHandelsregisteret lists it under one of the companies."""
    answers = lookups.ask_many(place, [lookups.company(number) for number in sorted(numbers)])
    return any(participant == one.participant for known in answers.values() for one in known.found)


def _wrong(participant: Participant) -> Text:
    return Text(
        f"{shown(participant)} kan ikke være en rigtig adresse.", f"{shown(participant)} cannot be a right address."
    )


def _not_own(participant: Participant) -> Text:
    return Text(
        f"{shown(participant)} hører ikke til jeres virksomhed ifølge regnskabet eller NemHandelsregisteret.",
        f"{shown(participant)} does not belong to your company by the books or NemHandelsregisteret.",
    )


def listed(subscription_id: str) -> Mapping[str, Listed]:
    """The others of this installation that want to be found, by address."""
    rows = db.session.scalars(
        select(Receiver)
        .where(Receiver.is_listed, Receiver.subscription_id != subscription_id)
        .order_by(Receiver.id.desc())
    )
    # Of two with the same address the one that was there first.
    return {
        text: Listed(row.name, participant, tuple(row.formats), row.email)
        for row in rows
        for text in row.participants
        if (participant := participant_of(text)) is not None
    }
