"""Gateways: configured transports."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, true, update

from invoiceapp.current import config, guard
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.fields import counting, parse_all
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.gateways.base import CheckStep, Transport, registry
from invoiceapp.models import Adaptor, Delivery, Document, Environment, Gateway, db, new_id, utcnow
from invoiceapp.services import bell, secrets
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import InvalidInput, ServiceError, text_dict
from invoiceapp.services.export import events
from invoiceapp.services.help import help_text

from . import adaptors, credentials, environments, expiries, rules, versions
from .seen import keep_renewed, note_seen

_LONGEST_REASON = 500
#: After a pause: several looks, also where the first ones fail.
_TO_COLLECT = timedelta(hours=2)
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
    transport = transport_class(gateway)
    values = unsealed(gateway)
    if transport.inbound_field and not values.get(transport.inbound_field):
        values[transport.inbound_field] = inbound_url(gateway)
    return transport(values, guard())


def told_inbound_url(gateway: Gateway) -> str | None:
    """The address that the partner is told; None where nothing is to come, or its settings ask for no later receipts."""
    transport = transport_class(gateway)
    field = transport.inbound_field
    if field is None:
        return inbound_url(gateway) if transport.receives or transport.unwraps else None
    if field not in counting(transport.fields, gateway.config):
        return None
    return str(gateway.config.get(field) or inbound_url(gateway))


def inbound_url(gateway: Gateway) -> str:
    """Where partners send later receipts to."""
    return f"{config().base_url}/inbound/{gateway.id}"


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
    creator_id: str | None = None, adaptor_ids: Collection[str] | None = None,
) -> Saved:  # fmt: skip
    """Create or change a gateway from form values. ``environment``: None keeps it (a new one is live).

    The first one of a subscription becomes the default gateway of adaptors that have none and may use it: of those with
    an id in ``adaptor_ids``, None for all.

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
                config={}, secrets={}, creator_id=creator_id,
            )
        )  # fmt: skip
        wanted = _read(gateway, name, raw, environment)
        before = _stored(gateway)
        gateway.name, gateway.environment = name.strip()[:200], wanted.environment
        gateway.config, gateway.secrets = wanted.config, wanted.secrets
        if wanted.has_new_secret:
            credentials.note_given(gateway)
        if _differs(before, gateway, wanted.has_new_secret):
            if shown is not None:
                versions.require(shown, before)
            # What the partner did not answer may have been asked with the old settings.
            gateway.retry_at = None
        expiries.refresh(gateway)
        session.add(gateway)
        held_back = environments.hold_back(Delivery.gateway_id == gateway.id, actor) if wanted.goes_live else 0
        default_of = () if gateway_id else _made_default(gateway, adaptor_ids)
    return Saved(gateway, held_back, release(gateway.id) if wanted.goes_to_test else 0, default_of)


def _made_default(gateway: Gateway, adaptor_ids: Collection[str] | None) -> tuple[Adaptor, ...]:
    """Where there is no other gateway, nobody would choose another: the adaptors that it became the default one of."""
    if of_subscription(gateway.subscription_id) != [gateway]:
        return ()
    without = (
        select(Adaptor)
        .where(
            Adaptor.subscription_id == gateway.subscription_id,
            Adaptor.default_gateway_id.is_(None),
            Adaptor.deleted_at.is_(None),
            true() if adaptor_ids is None else Adaptor.id.in_(adaptor_ids),
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
    errors |= secrets.lost_by_moving(fields, gateway.secrets, kept, values)
    given = {field.name for field in fields if field.secret and values.get(field.name)}
    # All at once: what is wrong by itself comes first, and with it what is wrong together.
    whole = {field.name: field.default for field in fields} | values
    errors = registry()[gateway.kind].problems(whole, {*kept, *given, *errors}) | errors
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


def check(gateway_id: str) -> list[CheckStep]:
    """Try the connection without sending an invoice."""
    with transaction():
        gateway = db.session.get_one(Gateway, gateway_id)
        opened, stored_secrets = open_transport(gateway), dict(gateway.secrets)
    with opened as transport:
        steps = transport.check()
        seen = dict(transport.seen)
    keep_renewed(gateway_id, stored_secrets, transport.renewed)
    note_seen(gateway_id, seen)
    return steps


def advice(gateway: Gateway) -> list[Finding]:
    """About settings that are allowed but unwise; fatal where nothing can be sent yet."""
    return transport_class(gateway).findings(gateway.config)


def help_of(kind: str, language: str) -> str:
    """The help page of a transport, from its folder."""
    return help_text(registry()[kind].__module__, language)


def pause(gateway_id: str, reason: Text) -> None:
    """Stop sending through it; deliveries wait. Inside the caller's transaction."""
    _pause(gateway_id, text_dict(reason), "system")


def pause_by_person(gateway_id: str, actor: str, reason: str = "") -> None:
    """``pause`` from the page, with the person's own words for those who wonder later."""
    words = " ".join(reason.split())[:_LONGEST_REASON]
    text = Text(words, words) if words else _BY_A_PERSON
    with transaction():
        _pause(gateway_id, text_dict(text, by=actor), actor)


def _pause(gateway_id: str, reason: dict[str, str], actor: str) -> None:
    result = db.session.execute(
        update(Gateway)
        .where(Gateway.id == gateway_id, Gateway.paused_at.is_(None))
        .values(paused_at=utcnow(), paused_reason=reason)
    )
    if changed(result):
        _tell("gateway_paused", db.session.get_one(Gateway, gateway_id), actor, **reason)


def _tell(kind: str, gateway: Gateway, actor: str, **data: str) -> None:
    events.record(
        kind, subscription_id=gateway.subscription_id, actor=actor, gateway=gateway.id, name=gateway.name, **data
    )  # fmt: skip


def resume(gateway_id: str, actor: str = "system") -> None:
    """Send again, what waited first, and at once, although the partner did not answer before."""
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id, with_for_update={"key_share": True}, populate_existing=True)
        if gateway.is_paused:
            _tell("gateway_resumed", gateway, actor)
        gateway.paused_at = gateway.paused_reason = None
        gateway.failures, gateway.failing_since, gateway.retry_at = 0, None, None
        _look_first(gateway)
        session.execute(
            update(Delivery)
            # The refused tries were not the document's fault. What was never tried waits by its own setting, if it waits.
            .where(Delivery.gateway_id == gateway_id, Delivery.state == DeliveryState.PENDING, Delivery.tries > 0)
            .values(next_at=utcnow(), tries=0)
        )
    bell.ring("deliver")


def _look_first(gateway: Gateway) -> None:
    """Answers that came during the pause are collected, and asked for, before anything counts as unanswered.

    In the caller's transaction.
    """
    transport = registry().get(gateway.kind)
    if transport is None or not (transport.fetches or transport.polls):
        return
    gateway.collect_at = None
    enough = utcnow() + _TO_COLLECT
    db.session.execute(
        update(Delivery)
        .where(Delivery.gateway_id == gateway.id, Delivery.state == DeliveryState.ACCEPTED, Delivery.next_at < enough)
        .values(next_at=enough)
    )


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
