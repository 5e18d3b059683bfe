"""Gateways: configured transports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.current import config
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.fields import Field, FieldInvalid, parse, parse_all
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.gateways.base import CheckStep, Transport, registry
from invoiceapp.models import Adaptor, Delivery, Document, Environment, ExportRule, Gateway, db, new_id, utcnow
from invoiceapp.outbound.guard import Guard
from invoiceapp.services import bell, secrets
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError, text_dict
from invoiceapp.services.help import help_text

from . import adaptors, environments, rules, versions

#: The declared field of transports that pin their server's key.
HOST_KEY = "host_key"
_UNFINISHED = (
    DeliveryState.BLOCKED, DeliveryState.PENDING, DeliveryState.LEASED, DeliveryState.SENDING, DeliveryState.OUTCOME_UNKNOWN,
)  # fmt: skip
_BY_A_PERSON = Text(
    "Den er sat på pause af en person. Det, der skal sendes, venter, til den startes igen.",
    "A person paused it. What is to be sent waits until it is started again.",
)


def kinds() -> dict[str, type[Transport]]:
    """Transports that this installation has, by kind."""
    return registry()


def transport_class(gateway: Gateway) -> type[Transport]:
    """The code behind a gateway."""
    return registry()[gateway.kind]


def open_transport(gateway: Gateway) -> Transport:
    """A transport with its secrets in clear; nothing is connected yet. The caller closes it. Raises ``ServiceError``."""
    if gateway.kind not in registry():
        raise ServiceError(
            Text(
                f"Denne installation kan ikke længere sende med »{gateway.kind}«. Vælg en anden gateway, eller giv besked til "
                "den, der driver serveren.",
                f"This installation can no longer send by “{gateway.kind}”. Choose another gateway, or tell whoever runs the "
                "server.",
            )
        )
    return transport_class(gateway)(unsealed(gateway), guard())


def guard() -> Guard:
    """What this installation lets gateways connect to."""
    return Guard(config().outbound_networks, config().outbound_ports)


def unsealed(gateway: Gateway) -> dict[str, object]:
    """Its values, secrets in clear. Never stored, logged or shown."""
    return secrets.unseal(gateway.config, gateway.secrets, f"gateway/{gateway.id}")


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did."""

    gateway: Gateway
    held_back: int = 0
    """Deliveries of test adaptors that may no longer use it"""
    released: int = 0
    """Documents that are tried again, because they may use it now"""
    default_of: tuple[Adaptor, ...] = ()
    """Adaptors whose default gateway it became, because it is the first one there is"""


def version(gateway: Gateway) -> str:
    """For the hidden field ``version``: of all that the form shows, and of secrets that it does not."""
    return versions.version(_stored(gateway))


def _stored(gateway: Gateway) -> dict[str, Any]:
    return {
        "name": gateway.name, "environment": gateway.environment.value, "config": gateway.config, "secrets": gateway.secrets
    }  # fmt: skip


def _name_errors(gateway: Gateway, name: str) -> dict[str, Text]:
    wanted = name.strip()
    if not wanted:
        return {"name": Text("Giv gatewayen et navn.", "Give the gateway a name.")}
    if not wanted.isprintable():
        return {"name": Text("Skriv navnet på én linje.", "Write the name on one line.")}
    others = (row for row in of_subscription(gateway.subscription_id) if row.id != gateway.id)
    if wanted != gateway.name and any(row.name.casefold() == wanted.casefold() for row in others):
        return {
            "name": Text(
                f"Der findes allerede en gateway, der hedder »{wanted}«. Vælg et andet navn, eller ret den, der findes.",
                f"There is a gateway called “{wanted}” already. Choose another name, or change the one that exists.",
            )
        }
    return {}


def save(
    subscription_id: str, kind: str, name: str, raw: Mapping[str, str], gateway_id: str | None = None, *,
    environment: str | None = None,
) -> Gateway:  # fmt: skip
    """``keep`` for callers who only want the gateway."""
    return keep(subscription_id, kind, name, raw, gateway_id, environment=environment).gateway


def keep(
    subscription_id: str, kind: str, name: str, raw: Mapping[str, str], gateway_id: str | None = None, *,
    environment: str | None = None, actor: str = "system", shown: str | None = None,
) -> Saved:  # fmt: skip
    """Create or change a gateway from form values. ``environment``: None keeps it (a new one is live).

    The first one of a subscription becomes the default gateway of adaptors that have none and may use it.

    ``shown`` is ``version`` when the form was made. Raises ``InvalidInput`` and ``ChangedMeanwhile``, and keeps nothing then.
    """
    with transaction() as session:
        if gateway_id and environment not in (None, session.get_one(Gateway, gateway_id).environment):
            environments.hold_documents(Delivery.gateway_id == gateway_id, Document.subscription_id == subscription_id)
        adaptors.hold_names(subscription_id)
        gateway = (
            session.get_one(Gateway, gateway_id, with_for_update={"key_share": True}, populate_existing=True)
            if gateway_id
            else Gateway(
                id=new_id(), subscription_id=subscription_id, kind=kind, name="", environment=Environment.LIVE,
                config={}, secrets={},
            )
        )  # fmt: skip
        wanted = _read(gateway, name, raw, environment)
        before = _stored(gateway)
        gateway.name, gateway.environment = name.strip()[:200], wanted.environment
        gateway.config, gateway.secrets = wanted.config, wanted.secrets
        if shown is not None and _differs(before, gateway, wanted.has_new_secret):
            versions.require(shown, before)
        session.add(gateway)
        held_back = environments.hold_back(Delivery.gateway_id == gateway.id, actor) if wanted.goes_live else 0
        default_of = () if gateway_id else _made_default(gateway)
    return Saved(gateway, held_back, release(gateway.id) if wanted.goes_to_test else 0, default_of)


def _made_default(gateway: Gateway) -> tuple[Adaptor, ...]:
    """Where there is no other gateway, nobody would choose another: the adaptors that it became the default one of."""
    if of_subscription(gateway.subscription_id) != [gateway]:
        return ()
    without = (
        select(Adaptor)
        .where(
            Adaptor.subscription_id == gateway.subscription_id,
            Adaptor.default_gateway_id.is_(None),
            Adaptor.deleted_at.is_(None),
        )
        .order_by(Adaptor.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    fitting = tuple(
        row
        for row in db.session.scalars(without).all()
        if not adaptors.destination_errors(row, row.default_format or "", gateway.id)
    )
    for row in fitting:
        row.default_gateway_id = gateway.id
    return fitting


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The form, read and found good."""

    environment: Environment
    config: dict[str, object]
    secrets: dict[str, str]
    has_new_secret: bool
    goes_live: bool
    goes_to_test: bool


def _read(gateway: Gateway, name: str, raw: Mapping[str, str], environment: str | None) -> _Wanted:
    """Raises ``InvalidInput`` with all that is wrong."""
    fields = registry()[gateway.kind].fields
    values, errors = parse_all(secrets.optional_where_kept(fields, gateway.secrets), raw)
    errors = _name_errors(gateway, name) | errors
    kept = secrets.kept_for(fields, gateway.config, values, gateway.secrets)
    errors |= secrets.lost_by_moving(gateway.secrets, kept, values)
    if not errors:
        given = {field.name for field in fields if field.secret and values.get(field.name)}
        errors = registry()[gateway.kind].problems(values, {*kept, *given})
    new = gateway.environment
    try:
        new = gateway.environment if environment is None else environments.parse(environment)
    except InvalidInput as error:
        errors |= error.errors
    if errors:
        raise InvalidInput(errors)
    config, sealed = secrets.seal(fields, values, kept, f"gateway/{gateway.id}")
    has_new_secret = any(field.secret and values.get(field.name) for field in fields)
    is_moved = new is not gateway.environment
    return _Wanted(
        new, config, sealed, has_new_secret, goes_live=is_moved and new is Environment.LIVE,
        goes_to_test=is_moved and new is Environment.TEST,
    )  # fmt: skip


def _differs(before: Mapping[str, Any], gateway: Gateway, has_new_secret: bool) -> bool:
    """Whether the save changes anything; the second click on a button does not, and nobody is in its way.

    The same password sealed again is another ciphertext, so of secrets it is asked whether one was written.
    """
    after = _stored(gateway)
    return has_new_secret or any(before[name] != after[name] for name in ("name", "environment", "config"))


def release(gateway_id: str) -> int:
    """Try again what test adaptors could not send through it while it was live; how many."""
    blocked = (
        select(Delivery.adaptor_id)
        .join(Adaptor, Adaptor.id == Delivery.adaptor_id)
        .where(
            Delivery.gateway_id == gateway_id,
            Delivery.state == DeliveryState.BLOCKED,
            Adaptor.environment == Environment.TEST,
            Adaptor.deleted_at.is_(None),
        )
        .distinct()
    )
    return sum(rules.release_all_blocked(adaptor_id) for adaptor_id in db.session.scalars(blocked).all())


@dataclass(frozen=True, slots=True)
class Usage:
    """Why a gateway cannot be deleted."""

    customers: list[tuple[Adaptor, int]]
    """Adaptors whose customers get their documents by it, deactivated customers too"""
    default_of: list[Adaptor]
    unfinished: int
    """Deliveries that have not ended"""
    has_history: bool
    """Something was sent through it, or was to be"""

    @property
    def is_used(self) -> bool:
        """Whether it must stay."""
        return bool(self.customers or self.default_of or self.has_history)


def usage(gateway_id: str) -> Usage:
    """What a gateway is used by."""
    customers = (
        select(ExportRule.adaptor_id, func.count())
        .where(ExportRule.gateway_id == gateway_id)
        .group_by(ExportRule.adaptor_id)
        .order_by(ExportRule.adaptor_id)
    )
    defaults = select(Adaptor).where(Adaptor.default_gateway_id == gateway_id).order_by(Adaptor.id)
    of_it = select(func.count()).select_from(Delivery).where(Delivery.gateway_id == gateway_id)
    return Usage(
        [(db.session.get_one(Adaptor, adaptor_id), count) for adaptor_id, count in db.session.execute(customers).all()],
        list(db.session.scalars(defaults)),
        db.session.scalar(of_it.where(Delivery.state.in_(_UNFINISHED))) or 0, bool(db.session.scalar(of_it)),
    )  # fmt: skip


class InUse(Conflict):
    """The gateway is needed; ``usage`` says by what."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "Gatewayen er i brug og er ikke slettet. Se herunder, hvad der bruger den.",
                "The gateway is in use and was not deleted. See below what uses it.",
            )
        )


def delete(gateway_id: str) -> None:
    """Delete a gateway that nothing needs. Raises ``InUse``."""
    try:
        with transaction() as session:
            gateway = session.get_one(Gateway, gateway_id, with_for_update=True, populate_existing=True)
            if usage(gateway_id).is_used:
                raise InUse
            session.delete(gateway)
    except IntegrityError as error:
        # Somebody chose it between our look and our deletion.
        raise InUse from error


def check(gateway_id: str) -> list[CheckStep]:
    """Try the connection without sending an invoice."""
    with transaction():
        opened = open_transport(db.session.get_one(Gateway, gateway_id))
    with opened as transport:
        return transport.check()


def advice(gateway: Gateway) -> list[Finding]:
    """Warnings about settings that are allowed but unwise."""
    return transport_class(gateway).findings(gateway.config)


def help_of(kind: str, language: str) -> str:
    """The help page of a transport, from its folder."""
    return help_text(registry()[kind].__module__, language)


def _host_key_field(gateway: Gateway) -> Field | None:
    return next((field for field in transport_class(gateway).fields if field.name == HOST_KEY), None)


def shown_host_key(gateway: Gateway, steps: list[CheckStep]) -> str | None:
    """The server key that a failed check showed, where none is confirmed yet: a person may confirm it.

    None where one is confirmed, so that a changed key is never one click away.
    """
    field = _host_key_field(gateway)
    if field is None or not field.pattern or gateway.config.get(HOST_KEY):
        return None
    found = (re.search(field.pattern, step.detail.en) for step in steps if not step.ok)
    return next((match.group() for match in found if match), None)


def trust_host_key(gateway_id: str, host_key: str) -> None:
    """Confirm a server's key. Raises ``InvalidInput``, and ``Conflict`` where one is confirmed already."""
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id)
        field = _host_key_field(gateway)
        if field is None or gateway.config.get(HOST_KEY):
            raise Conflict(
                Text(
                    "Fingeraftrykket er allerede bekræftet. Ret det i feltet, hvis serverens nøgle er skiftet.",
                    "The fingerprint is confirmed already. Correct it in its field if the server's key was changed.",
                )
            )
        try:
            gateway.config = {**gateway.config, HOST_KEY: parse(field, host_key)}
        except FieldInvalid as error:
            raise InvalidInput({HOST_KEY: error.text}) from error


def pause(gateway_id: str, reason: Text) -> None:
    """Stop sending through it; deliveries wait. Inside the caller's transaction."""
    db.session.execute(
        update(Gateway)
        .where(Gateway.id == gateway_id, Gateway.paused_at.is_(None))
        .values(paused_at=utcnow(), paused_reason=text_dict(reason))
    )


def pause_by_person(gateway_id: str) -> None:
    """``pause`` from the page."""
    with transaction():
        pause(gateway_id, _BY_A_PERSON)


def resume(gateway_id: str) -> None:
    """Send again, what waited first."""
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id)
        gateway.paused_at = gateway.paused_reason = None
        session.execute(
            update(Delivery)
            # The refused tries were not the document's fault. What was never tried waits by its own setting, if it waits.
            .where(Delivery.gateway_id == gateway_id, Delivery.state == DeliveryState.PENDING, Delivery.tries > 0)
            .values(next_at=utcnow(), tries=0)
        )
    bell.ring("deliver")


def of_subscription(subscription_id: str) -> list[Gateway]:
    """All gateways, by name."""
    return list(
        db.session.scalars(select(Gateway).where(Gateway.subscription_id == subscription_id).order_by(Gateway.name))
    )


def waiting(gateway_ids: list[str]) -> dict[str, int]:
    """How many deliveries wait, by gateway."""
    rows: Any = db.session.execute(
        select(Delivery.gateway_id, func.count())
        .where(Delivery.gateway_id.in_(gateway_ids), Delivery.state == DeliveryState.PENDING)
        .group_by(Delivery.gateway_id)
    )
    return dict(rows.all())
