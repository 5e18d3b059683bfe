"""Saving settings: for all customers of an adaptor, or for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.settings import GROUPS
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Adaptor, Customer, ExportRule, db
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput, ServiceError

from . import changes, judging, preflight, rules, versions
from .settings import FORMATS, RULE, Place, applied, from_form, in_section, section_of


def common_groups(adaptor: Adaptor) -> tuple[str, ...]:
    """The groups of common settings, and the options of every output format that the adaptor's customers get."""
    used = set(db.session.scalars(select(ExportRule.format).where(ExportRule.adaptor_id == adaptor.id).distinct()))
    options = (
        FORMATS + fmt.id for fmt in formats().values() if fmt.options and fmt.id in {*used, adaptor.default_format}
    )
    return (*GROUPS, *options)


def setting_groups(rule: ExportRule | None) -> tuple[str, ...]:
    """The groups of settings that a customer has: the general ones, and the options of its output format."""
    fmt = formats().get(rule.format) if rule else None
    return (*GROUPS, FORMATS + fmt.id) if fmt and fmt.options else tuple(GROUPS)


def of_section(section: str | None, groups: Iterable[str]) -> tuple[str, ...]:
    """Those of the groups that stand in a section; None: all of them."""
    return tuple(group for group in groups if section in (None, section_of(group)))


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did."""

    released: int
    """Blocked documents that are converted again"""
    change_id: str | None
    """For "undo"; None where nothing was changed"""


def common_version(adaptor: Adaptor, section: str | None = None) -> str:
    """For the hidden field ``version`` of a form of common settings."""
    return versions.version(in_section(adaptor.settings, section))


def customer_version(rule: ExportRule | None, section: str | None = None) -> str:
    """For the hidden field ``version`` of a form of one customer's settings."""
    return versions.version(in_section(changes.of_rule(rule), section))


def _require(shown: str | None, section: str | None, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raises ``ChangedMeanwhile``; not where the save would change nothing, as the second click on a button."""
    if changes.differences(before, after):
        versions.require(shown, in_section(before, section))


def save_overrides(
    customer_id: str, raw: Mapping[str, str], *, actor: str = "system", shown: str | None = None,
    section: str | None = None,
) -> Saved:  # fmt: skip
    """Keep one customer's settings from form values named ``<group>.<field>``; empty means inherit.

    ``raw`` may also have ``format`` and ``gateway``, the ids of what the customer gets and by which way. ``section``
    keeps to one section; ``shown`` is its ``customer_version`` when the form was made. A customer that was never
    activated gets a rule at rest, for the adaptor's default gateway, so that it can be mended first.
    Raises ``InvalidInput``, ``ChangedMeanwhile``, ``ServiceError``.
    """
    with transaction() as session:
        customer = session.get_one(Customer, customer_id, with_for_update={"key_share": True}, populate_existing=True)
        adaptor = session.get_one(Adaptor, customer.adaptor_id)
        rule = _locked_rule(customer_id)
        wanted = _wanted(rule, raw, section)
        before = changes.of_rule(rule)
        rule = rule or _rule_at_rest(adaptor, customer)
        after = applied(changes.of_rule(rule), wanted)
        _require(shown, section, before, after)
        _require_fit(adaptor, rule, after)
        change = changes.record(adaptor, "customer", actor, changes.of_rule(rule), after, customer_id)
        changes.put(rule, after)
        change_id = change.id if change else None
    preflight.refresh_customer(customer_id)
    return Saved(rules.release_blocked(customer_id), change_id)


def _locked_rule(customer_id: str) -> ExportRule | None:
    return db.session.scalar(
        select(ExportRule)
        .where(ExportRule.customer_id == customer_id)
        .with_for_update(of=ExportRule)
        .execution_options(populate_existing=True)
    )


def _wanted(rule: ExportRule | None, raw: Mapping[str, str], section: str | None) -> dict[Place, Any]:
    """Raises ``InvalidInput``."""
    wanted = from_form(of_section(section, setting_groups(rule)), raw)
    chosen = {(RULE, name): raw[name] for name in ("format", "gateway") if raw.get(name)}
    return wanted | chosen


def _require_fit(adaptor: Adaptor, rule: ExportRule, after: Mapping[str, Any]) -> None:
    """Raises ``InvalidInput`` where another format or gateway was chosen and the two do not fit."""
    pair = after[RULE]["format"], after[RULE]["gateway"]
    if pair != (rule.format, rule.gateway_id) and (errors := rules.pair_errors(adaptor, *pair)):
        raise InvalidInput(errors)


def _rule_at_rest(adaptor: Adaptor, customer: Customer) -> ExportRule:
    """A rule that sends nothing. Inside the caller's transaction. Raises ``ServiceError``."""
    if not adaptor.default_gateway_id:
        raise ServiceError(
            Text(
                "Aktivér kunden først, eller vælg en standardgateway under Generelt. Så kan kundens indstillinger rettes, "
                "før noget sendes.",
                "Activate the customer first, or choose a default gateway under General. Then the customer's settings can be "
                "corrected before anything is sent.",
            )
        )
    # The format by which the pre-flight judges such a customer.
    public = judging.FOR_DANISH_GLN if customer.country == "DK" and customer.gln else judging.FOR_OTHERS
    rule = ExportRule(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=customer.id, active=False,
        format=adaptor.default_format or public, gateway_id=adaptor.default_gateway_id, settings={},
    )  # fmt: skip
    db.session.add(rule)
    return rule


def common_after(
    adaptor: Adaptor, raw: Mapping[str, str], *, shown: str | None = None, section: str | None = None
) -> dict[str, Any]:
    """The common settings as a save would leave them. Raises ``InvalidInput``, ``ChangedMeanwhile``."""
    wanted = from_form(of_section(section, common_groups(adaptor)), raw, common=True)
    after = applied(adaptor.settings, wanted)
    _require(shown, section, adaptor.settings, after)
    return after


def save_common(
    adaptor_id: str, raw: Mapping[str, str], *, actor: str = "system", shown: str | None = None,
    section: str | None = None,
) -> Saved:  # fmt: skip
    """Keep settings for all customers from form values named ``<group>.<field>``; empty means inherit.

    ``section`` keeps to one section; ``shown`` is its ``common_version`` when the form was made. Raises
    ``InvalidInput``, ``ChangedMeanwhile``.
    """
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)
        after = common_after(adaptor, raw, shown=shown, section=section)
        change = changes.record(adaptor, "common", actor, adaptor.settings, after)
        adaptor.settings = after
        change_id = change.id if change else None
    preflight.refresh(adaptor_id)
    return Saved(rules.release_all_blocked(adaptor_id), change_id)


def undo(change_id: str, actor: str) -> int:
    """Take a save back (``changes.undo``) and try what waits again; how many documents. Raises ``Conflict``."""
    change = changes.undo(change_id, actor)
    if change.customer_id is not None:
        preflight.refresh_customer(change.customer_id)
        return rules.release_blocked(change.customer_id)
    preflight.refresh(change.adaptor_id)
    return rules.release_all_blocked(change.adaptor_id)
