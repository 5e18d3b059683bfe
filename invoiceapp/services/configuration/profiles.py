"""Giving one customer's own settings to other customers. What is individual, as addresses and numbers, stays behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import contains_eager, selectinload

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, ExportRule, db
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput, ServiceError

from . import changes, customers, environments, preflight, rules
from .customers import Filter
from .saving import of_section, setting_groups
from .settings import RULE, SECTIONS, Place, applied, declared, place, places

#: Customers that get a profile in one request.
MOST = 500
#: Customers that one search shows, beside those that are ticked.
_SHOWN = 50

#: Beside the individual fields: agreements and references of one buyer, which may stand in the common settings, but are
#: wrong with another buyer.
NEVER_COPIED = frozenset(
    place("customer", name)
    for name in (
        "buyerReference", "orderNumber", "contractReference", "projectReference", "accountingCost", "mandate",
        "payerAccount", "cardNumber", "cardNetwork",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """What a customer can give away of the chosen sections."""

    values: Mapping[Place, Any]
    is_individual: int
    """Own values that stay behind"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What copying would do."""

    changing: tuple[Customer, ...]
    replacing: int
    """Of those: how many lose a value of their own, which the history keeps"""
    same: int
    """They have all values already"""
    without_rule: tuple[Customer, ...]
    """Were never activated, and have no settings"""
    refused: tuple[Customer, ...]
    """Their gateway does not take the format, or the gateway not theirs"""


def of_customer(rule: ExportRule, sections: Iterable[str]) -> Profile:
    """The customer's own values in the sections; ``format`` and ``gateway`` carry the choice itself too."""
    stored = places(changes.of_rule(rule))
    values: dict[Place, Any] = {}
    individual = 0
    for section in sections:
        if (RULE, section) in stored:
            values[RULE, section] = stored[RULE, section]
        for group in of_section(section, setting_groups(rule)):
            for field in declared(group):
                at = place(group, field.name)
                value = stored.get(at)
                if value is None:
                    continue
                if _stays(field, at):
                    individual += 1
                else:
                    values[at] = value
    return Profile(values, individual)


def _stays(field: Field, at: Place) -> bool:
    return field.is_individual or at in NEVER_COPIED


@dataclass(frozen=True, slots=True)
class Candidates:
    """Customers to choose from."""

    shown: tuple[Customer, ...]
    """What was ticked and is not found, then what a search finds, with their rules"""
    matching: int
    """How many the search finds in all"""


def _matching(adaptor_id: str, text: str, giver_id: str) -> Select[Any]:
    return customers.matching(adaptor_id, Filter(text)).where(Customer.id != giver_id)


def _ids(query: Select[Any]) -> Select[Any]:
    return query.with_only_columns(Customer.id, maintain_column_froms=True)


def found_ids(adaptor_id: str, text: str, giver_id: str = "") -> list[str]:
    """Ids of the customers but the giver that a search finds; one more than may be, at most."""
    return list(db.session.scalars(_ids(_matching(adaptor_id, text, giver_id)).limit(MOST + 1)))


def candidates(adaptor_id: str, text: str, ticked: Sequence[str], giver_id: str = "") -> Candidates:
    """The customers but the giver that a search finds, and those that are ticked already."""
    query = (
        _matching(adaptor_id, text, giver_id).options(selectinload(Customer.rule)).order_by(Customer.name, Customer.id)
    )
    found = list(db.session.scalars(query.limit(_SHOWN)))
    kept = _matching(adaptor_id, "", giver_id).where(
        Customer.id.in_(ticked), Customer.id.not_in([row.id for row in found])
    )
    shown = (*db.session.scalars(kept.options(selectinload(Customer.rule)).order_by(Customer.name)), *found)
    count = select(func.count()).select_from(_ids(_matching(adaptor_id, text, giver_id)).subquery())
    return Candidates(shown, db.session.scalar(count) or 0)


def _targets(adaptor_id: str, wanted: Sequence[str], giver_id: str) -> list[Customer]:
    """Customers of the adaptor with their rules, the giver excepted."""
    return list(
        db.session.scalars(
            select(Customer)
            .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
            .where(
                Customer.adaptor_id == adaptor_id, Customer.id.in_(wanted), Customer.id != giver_id,
                Customer.is_archived.is_(False),
            )
            .options(contains_eager(Customer.rule))
            .order_by(Customer.name, Customer.id)
            .execution_options(populate_existing=True)
        ).unique()
    )  # fmt: skip


def _check(customer: Customer, wanted: Sequence[str], sections: Iterable[str]) -> Profile:
    """Raises ``InvalidInput``, ``ServiceError``."""
    if customer.rule is None:
        raise ServiceError(Text("Kunden har ingen indstillinger at kopiere.", "The customer has no settings to copy."))
    errors = _errors(wanted)
    profile = of_customer(customer.rule, [section for section in SECTIONS if section in set(sections)])
    if not profile.values:
        errors["sections"] = Text(
            "Vælg mindst én gruppe, hvor kunden har egne værdier, der kan kopieres.",
            "Choose at least one group in which the customer has values of its own that can be copied.",
        )
    if errors:
        raise InvalidInput(errors)
    return profile


def _errors(wanted: Sequence[str]) -> dict[str, Text]:
    if not wanted:
        return {"ids": Text("Vælg mindst én kunde.", "Choose at least one customer.")}
    if len(wanted) > MOST:
        return {"ids": Text(f"Vælg højst {MOST} kunder ad gangen.", f"Choose at most {MOST} customers at a time.")}
    return {}


def plan(customer: Customer, wanted: Sequence[str], sections: Iterable[str]) -> Plan:
    """What copying would do. Raises ``InvalidInput`` (``ids``, ``sections``), ``ServiceError``."""
    return plan_of(customer.adaptor_id, wanted, _check(customer, wanted, sections).values, customer.id)


def plan_of(adaptor_id: str, wanted: Sequence[str], values: Mapping[Place, Any], giver_id: str = "") -> Plan:
    """What giving these values to customers of the adaptor would do. Raises ``InvalidInput`` (``ids``)."""
    if errors := _errors(wanted):
        raise InvalidInput(errors)
    adaptor = db.session.get_one(Adaptor, adaptor_id)
    return _sorted_out(adaptor, values, _targets(adaptor_id, wanted, giver_id))


def _sorted_out(adaptor: Adaptor, values: Mapping[Place, Any], targets: Iterable[Customer]) -> Plan:
    changing, refused, without_rule = [], [], []
    replacing = same = 0
    fits: dict[tuple[str, str], bool] = {}
    for target in targets:
        if target.rule is None:
            without_rule.append(target)
            continue
        before = changes.of_rule(target.rule)
        found = changes.differences(before, applied(before, values))
        pair = values.get((RULE, "format"), target.rule.format), values.get((RULE, "gateway"), target.rule.gateway_id)
        is_kept = pair == (target.rule.format, target.rule.gateway_id)
        if not found:
            same += 1
        elif not is_kept and not fits.setdefault(pair, not rules.pair_errors(adaptor, *pair)):
            refused.append(target)
        else:
            changing.append(target)
            replacing += any(item.before is not None for item in found)
    return Plan(tuple(changing), replacing, same, tuple(without_rule), tuple(refused))


def copy(customer_id: str, wanted: Sequence[str], sections: Iterable[str], *, actor: str = "system") -> int:
    """Copy, with an entry in each customer's history; how many were changed. Other own values stay as they are.

    Raises ``InvalidInput`` (``ids``, ``sections``), ``ServiceError``.
    """
    customer = db.session.get_one(Customer, customer_id)
    return give(
        customer.adaptor_id, wanted, _check(customer, wanted, sections).values, actor=actor, giver_id=customer_id
    )


def give(
    adaptor_id: str, wanted: Sequence[str], values: Mapping[Place, Any], *, actor: str = "system", giver_id: str = ""
) -> int:
    """Give values to customers of the adaptor, with an entry in each one's history; how many were changed.

    Raises ``InvalidInput`` (``ids``), ``AdaptorDeleted``.
    """
    with transaction() as session:
        adaptor = rules.held(adaptor_id)
        environments.require_kept(adaptor)
        # Locked in one order, so that two who copy do not wait for each other for ever.
        session.scalars(
            select(ExportRule)
            .where(ExportRule.customer_id.in_(wanted), ExportRule.adaptor_id == adaptor_id)
            .order_by(ExportRule.id)
            .with_for_update(of=ExportRule)
        ).all()
        found = plan_of(adaptor_id, wanted, values, giver_id)
        for target in found.changing:
            _give(adaptor, target.rule, values, actor)
    if found.changing:
        preflight.refresh(adaptor_id)
        rules.release_all_blocked(adaptor_id)
    return len(found.changing)


def _give(adaptor: Adaptor, rule: ExportRule | None, values: Mapping[Place, Any], actor: str) -> None:
    if rule is not None:
        before = changes.of_rule(rule)
        after = applied(before, values)
        changes.record(adaptor, "customer", actor, before, after, rule.customer_id)
        changes.put(rule, after)
