"""What the route finder needs to know, read from the database: customers, gateways, receivers of this installation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.settings import SettingsInvalid
from invoiceapp.gateways.base import registry
from invoiceapp.models import Adaptor, Customer, Delivery, ExportRule, Gateway, Match, db, utcnow
from invoiceapp.services.configuration.environments import may_reach
from invoiceapp.services.configuration.naming import receiver_email
from invoiceapp.services.configuration.settings import resolve_one, stored_in

from .candidates import Facts
from .deciding import Before
from .routes import participant_of
from .ways import Way

#: How far back the use of a gateway counts.
_LATELY = timedelta(days=90)


def network_gateway(adaptor: Adaptor) -> Gateway | None:
    """The gateway that chooses among the others: of those that the adaptor may use, one of its own environment first."""
    kinds = [kind for kind, transport in registry().items() if not transport.sends]
    rows = db.session.scalars(
        select(Gateway)
        .where(Gateway.subscription_id == adaptor.subscription_id, Gateway.kind.in_(kinds))
        .order_by(Gateway.id)
    ).all()
    usable = [row for row in rows if may_reach(adaptor.environment, row.environment)]
    usable.sort(key=lambda row: row.environment is not adaptor.environment)
    return usable[0] if usable else None


def ways(adaptor: Adaptor) -> list[Way]:
    """The gateways that send and that the adaptor may use."""
    rows = db.session.scalars(select(Gateway).where(Gateway.subscription_id == adaptor.subscription_id)).all()
    found = []
    for row in rows:
        transport = registry().get(row.kind)
        if transport is not None and transport.sends and may_reach(adaptor.environment, row.environment):
            is_ready = not row.is_paused and not has_fatal(transport.findings(row.config))
            found.append(
                Way(row.id, row.name, transport.networks_of(row.config), transport.accepts, transport.by_email, is_ready)
            )  # fmt: skip
    used = _used(_rivals(found))
    return [replace(way, used=used.get(way.id, 0)) for way in found]


def _rivals(found: Sequence[Way]) -> list[str]:
    """Gateways of which more than one goes the same way: only of them it matters which is used most."""
    ends = Counter(end for way in found for end in _ends(way))
    return [way.id for way in found if any(ends[end] > 1 for end in _ends(way))]


def _ends(way: Way) -> list[str]:
    return [*way.networks, *(["mail"] if way.mails else [])]


def _used(gateway_ids: Sequence[str]) -> dict[str, int]:
    if not gateway_ids:
        return {}
    rows = db.session.execute(
        select(Delivery.gateway_id, func.count())
        .where(Delivery.gateway_id.in_(gateway_ids), Delivery.created_at > utcnow() - _LATELY)
        .group_by(Delivery.gateway_id)
    )
    return {gateway_id: count for gateway_id, count in rows}  # noqa: C416 - a Row is no pair to mypy


def customers(adaptor_id: str, customer_ids: Sequence[str]) -> list[Customer]:
    """With their rules, by id; those that are none of the adaptor's are left out."""
    return list(
        db.session.scalars(
            select(Customer)
            .where(Customer.adaptor_id == adaptor_id, Customer.id.in_(customer_ids))
            .order_by(Customer.id)
            .options(selectinload(Customer.rule))
            .execution_options(populate_existing=True)
        )
    )


def facts(adaptor: Adaptor, customer: Customer) -> Facts:
    """What is known of a customer without asking anybody; the user's own settings count before the books."""
    rule: ExportRule | None = customer.rule
    override = rule.settings if rule else {}
    try:
        address = stored_in(override, "customer").get("endpoint")
        country = resolve_one("customer", "country", adaptor.settings, override).value
    except SettingsInvalid:
        # Conversion says what is wrong with them.
        address, country = None, None
    own = (
        participant_of(f"{address.get('scheme', '')}:{address.get('value', '')}") if isinstance(address, dict) else None
    )
    return Facts(
        customer.id, customer.name, country or customer.country, customer.gln, customer.registration_no,
        receiver_email(customer, adaptor), own, rule.format if rule else None, rule.gateway_id if rule else None,
    )  # fmt: skip


def matches(customer_ids: Sequence[str]) -> dict[str, Match]:
    """The rows that exist, by customer."""
    rows = db.session.scalars(
        select(Match).where(Match.customer_id.in_(customer_ids)).execution_options(populate_existing=True)
    )
    return {row.customer_id: row for row in rows}


def before(match: Match | None) -> Before:
    """What was known."""
    if match is None:
        return Before()
    return Before(match.state, match.participant, tuple(match.routes), match.pinned, match.accepted)


def with_gateway(customer_ids: Sequence[str], gateway_id: str) -> list[str]:
    """Those of the customers that are active with a gateway."""
    return list(
        db.session.scalars(
            select(ExportRule.customer_id)
            .where(ExportRule.customer_id.in_(customer_ids), ExportRule.gateway_id == gateway_id, ExportRule.active)
            .order_by(ExportRule.customer_id)
        )
    )
