"""Gateways: configured transports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.fields import Field, FieldInvalid, parse, parse_all
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.gateways.base import CheckStep, Transport, registry
from invoiceapp.models import Delivery, Gateway, db, new_id, utcnow
from invoiceapp.services import bell, secrets
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError, text_dict
from invoiceapp.services.help import help_text

#: The declared field of transports that pin their server's key.
HOST_KEY = "host_key"


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
    values = secrets.unseal(gateway.config, gateway.secrets, f"gateway/{gateway.id}")
    return transport_class(gateway)(values)


def save(subscription_id: str, kind: str, name: str, raw: Mapping[str, str], gateway_id: str | None = None) -> Gateway:
    """Create or change a gateway from form values. Raises ``InvalidInput`` and keeps nothing then."""
    with transaction() as session:
        gateway = (
            session.get_one(Gateway, gateway_id)
            if gateway_id
            else Gateway(id=new_id(), subscription_id=subscription_id, kind=kind, config={}, secrets={})
        )
        fields = registry()[gateway.kind].fields
        values, errors = parse_all(secrets.optional_where_kept(fields, gateway.secrets), raw)
        if not name.strip():
            errors["name"] = Text("Giv gatewayen et navn.", "Give the gateway a name.")
        kept = secrets.kept_for(fields, gateway.config, values, gateway.secrets)
        errors |= secrets.lost_by_moving(gateway.secrets, kept, values)
        if errors:
            raise InvalidInput(errors)
        gateway.name = name.strip()[:200]
        gateway.config, gateway.secrets = secrets.seal(fields, values, kept, f"gateway/{gateway.id}")
        session.add(gateway)
    return gateway


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


def resume(gateway_id: str) -> None:
    """Send again, what waited first."""
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id)
        gateway.paused_at = gateway.paused_reason = None
        session.execute(
            update(Delivery)
            .where(Delivery.gateway_id == gateway_id, Delivery.state == DeliveryState.PENDING)
            # The refused tries were not the document's fault.
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
