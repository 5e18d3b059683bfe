"""What of the gateways ends one day, such as certificates, keys and logins, and the warnings before it does."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, exists, or_, select

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Expiry, KeyPair, PartnerCertificate, registry
from invoiceapp.models import Gateway, db, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import text_dict
from invoiceapp.services.export import events

log = logging.getLogger(__name__)

#: Days before the end at which people are warned; 0 once it has passed.
LEVELS = (0, 1, 7, 14, 30, 60)
_EVERY = timedelta(days=1)


def level(ends: datetime, now: datetime) -> int | None:
    """The last of ``LEVELS`` that was reached; None while there is more time than that. Both times aware."""
    left = ends - now
    return next((days for days in LEVELS if left <= timedelta(days=days)), None)


@dataclass(frozen=True, slots=True)
class Ending:
    """One thing that ends, for people."""

    gateway: Gateway
    field: str
    label: Text
    ends: datetime
    fingerprint: str
    now: datetime
    replaced_on: date | None = None
    """When the next certificate counts, which is laid in already and comes in time"""
    has_page: bool = False
    """Whether it stands on the gateway's page of certificates"""

    @property
    def level(self) -> int | None:
        """See ``level``; none where the next one is ready."""
        return None if self.replaced_on else level(self.ends, self.now)

    @property
    def days_left(self) -> int:
        """Whole days; negative once it has passed."""
        return (self.ends - self.now).days


def refresh(gateway: Gateway) -> None:
    """Read anew what of it ends. Inside the caller's transaction; ``check_due`` warns, once for each level."""
    found = _found(gateway)
    gateway.expiries_at = utcnow()
    if found is not None:
        gateway.expiries = [_stored(one) for one in found]
    now = _level_of(gateway, utcnow())
    if _is_later(now, gateway.expiry_level):
        gateway.expiry_level = now


def _found(gateway: Gateway) -> list[Expiry] | None:
    """None where it cannot be read: then what was known stays."""
    if gateway.kind not in registry():
        return None
    try:
        values = secrets.unseal(gateway.config, gateway.secrets, f"gateway/{gateway.id}")
    except secrets.SecretUnreadable:
        log.warning("the secrets of gateway %s cannot be read", gateway.id)
        return None
    return registry()[gateway.kind].expiries(values)


def _stored(expiry: Expiry) -> dict[str, str]:
    ends = expiry.ends.isoformat()
    return text_dict(expiry.label, field=expiry.field, ends=ends, fingerprint=expiry.fingerprint)


def endings(gateway: Gateway, now: datetime | None = None) -> list[Ending]:
    """What of it ends, soonest first."""
    now = now or utcnow()
    followers = _followers(gateway)
    found = []
    for one in gateway.expiries:
        ends = datetime.fromisoformat(one["ends"])
        follower = followers.get(one["field"])
        found.append(
            Ending(
                gateway, one["field"], Text(one["da"], one["en"]), ends, one.get("fingerprint", ""), now,
                follower if follower and follower <= ends.date() else None, one["field"] in followers,
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (one.ends, one.field))


def _followers(gateway: Gateway) -> dict[str, date | None]:
    """Fields that hold certificates, and when the next one of each counts where it is laid in already."""
    transport = registry().get(gateway.kind)
    if transport is None:
        return {}
    found: dict[str, date | None] = {}
    pairs: tuple[KeyPair | PartnerCertificate, ...] = (*transport.key_pairs, *transport.partner_certificates)
    for pair in pairs:
        switch_on = gateway.config.get(pair.switch_on) if pair.switch_on else None
        is_ready = pair.next_certificate and gateway.config.get(pair.next_certificate) and switch_on
        found[pair.certificate] = date.fromisoformat(str(switch_on)) if is_ready else None
        if pair.next_certificate:
            found[pair.next_certificate] = None
    return found


def _level_of(gateway: Gateway, now: datetime) -> int | None:
    return min((one.level for one in endings(gateway, now) if one.level is not None), default=None)


def _is_later(one: int | None, other: int | None) -> bool:
    """Whether ``one`` leaves more time than ``other``."""
    return other is not None and (one is None or one > other)


def of_subscription(subscription_id: str) -> list[Ending]:
    """What ends of all its gateways, soonest first."""
    rows = db.session.scalars(select(Gateway).where(Gateway.subscription_id == subscription_id)).all()
    now = utcnow()
    return sorted((one for row in rows for one in endings(row, now)), key=lambda one: (one.ends, one.gateway.name))


def soon(subscription_id: str) -> list[Ending]:
    """Those for which people are warned."""
    return [one for one in of_subscription(subscription_id) if one.level is not None]


def due() -> bool:
    """Whether any gateway was not looked at for a day."""
    return bool(db.session.scalar(select(exists().where(_is_due()))))


def _is_due() -> ColumnElement[bool]:
    return or_(Gateway.expiries_at.is_(None), Gateway.expiries_at < utcnow() - _EVERY)


def check_due() -> None:
    """Once a day: read anew what ends, and write an event ``expires`` for each gateway that has come closer to its end."""
    with transaction() as session:
        due_ids = session.scalars(select(Gateway.id).where(_is_due()).order_by(Gateway.id)).all()
    for gateway_id in due_ids:
        with transaction() as session:
            gateway = session.get(Gateway, gateway_id, with_for_update={"key_share": True}, populate_existing=True)
            if gateway is not None:
                refresh(gateway)
                _warn(gateway)


def _warn(gateway: Gateway) -> None:
    first = next((one for one in endings(gateway) if one.level is not None), None)
    if first is None or first.level is None:
        return
    if gateway.expiry_level is None or first.level < gateway.expiry_level:
        gateway.expiry_level = first.level
        events.record(
            "expires", subscription_id=gateway.subscription_id, gateway=gateway.id, name=gateway.name,
            level=first.level, field=first.field, ends=first.ends.isoformat(), **text_dict(first.label),
        )  # fmt: skip
