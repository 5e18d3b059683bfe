"""Saving settings: for all customers of an adaptor, or for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.settings import GROUPS
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Adaptor, Customer, ExportRule, Gateway, db
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError

from . import changes, environments, judging, preflight, rules, versions
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


#: A customer's choices; each stands in the section of its name.
CHOICES = ("format", "gateway")


def common_version(adaptor: Adaptor, section: str | None = None) -> str:
    """For the hidden field ``version`` of a form of common settings."""
    return versions.version(_compared(adaptor.settings, section))


def customer_version(rule: ExportRule | None, section: str | None = None) -> str:
    """For the hidden field ``version`` of a form of one customer's settings."""
    return versions.version(_compared(changes.of_rule(rule), section))


def activation_version(rule: ExportRule | None) -> str:
    """For the hidden field ``version`` of the form that activates a customer."""
    return versions.version(changes.of_rule(rule).get(RULE))


def _compared(stored: Mapping[str, Any], section: str | None) -> dict[str, Any]:
    """What a form of the section goes by. Format and gateway must fit: whoever chooses one has seen the other."""
    chosen = {RULE: stored[RULE]} if section in CHOICES and RULE in stored else {}
    return in_section(stored, section) | in_section(chosen, None)


def _require(shown: str | None, section: str | None, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raises ``ChangedMeanwhile``; not where the save would change nothing, as the second click on a button."""
    if changes.differences(before, after):
        versions.require(shown, _compared(before, section))


def save_overrides(
    customer_id: str, raw: Mapping[str, str], *, actor: str = "system", shown: str | None = None,
    section: str | None = None,
) -> Saved:  # fmt: skip
    """Keep one customer's settings from form values named ``<group>.<field>``; empty means inherit.

    ``raw`` may also have ``format`` and ``gateway``, the ids of what the customer gets and by which way. ``section``
    keeps to one section (those of format and gateway take both choices); ``shown`` is its ``customer_version`` when the
    form was made. A customer that was never
    activated gets a rule at rest (``proposed_format``, ``proposed_gateway``), so that it can be mended first.
    Raises ``InvalidInput``, ``ChangedMeanwhile``, ``AdaptorDeleted``, ``ServiceError``.
    """
    with transaction():
        customer, adaptor = _held(customer_id)
        rule = _locked_rule(customer_id)
        wanted = _wanted(rule, raw, section)
        before = changes.of_rule(rule)
        rule = rule or _rule_at_rest(adaptor, customer, wanted.get((RULE, "gateway")))
        after = applied(changes.of_rule(rule), wanted)
        _require(shown, section, before, after)
        _require_fit(adaptor, rule, after)
        change = changes.record(adaptor, "customer", actor, changes.of_rule(rule), after, customer_id)
        changes.put(rule, after)
        change_id = change.id if change else None
    preflight.refresh_customer(customer_id)
    return Saved(rules.released(customer_id, actor).queued, change_id)


def _held(customer_id: str) -> tuple[Customer, Adaptor]:
    """A customer and its adaptor. Raises ``AdaptorDeleted``.

    The adaptor is locked, as by all who write rules: two who save for one customer take turns, also before it has any.
    """
    customer = db.session.get_one(Customer, customer_id, populate_existing=True)
    adaptor = rules.held(customer.adaptor_id)
    environments.require_kept(adaptor)
    return customer, adaptor


def activate(
    customer_id: str, format_id: str, gateway_id: str, *, actor: str = "system", shown: str | None = None
) -> int:
    """Activate one customer; how many blocked documents are tried again. ``shown``: ``activation_version`` of the form.

    One that is active already keeps its format and gateway: those are changed by ``save_overrides``.
    Raises ``InvalidInput``, ``Conflict``, ``ServiceError``.
    """
    with transaction():
        _, adaptor = _held(customer_id)
        rule = _locked_rule(customer_id)
        if rule is not None and (rule.format, rule.gateway_id) != (format_id, gateway_id):
            _require_as_shown(rule, shown)
        rules.require_fit(adaptor, format_id, gateway_id)
        changes.record_moves(adaptor, [customer_id], format_id, gateway_id, actor)
        rules.activate_chunk(adaptor, [customer_id], format_id, gateway_id)
    preflight.refresh_customer(customer_id)
    return rules.released(customer_id, actor).queued


def _require_as_shown(rule: ExportRule, shown: str | None) -> None:
    """Raises ``Conflict``."""
    if rule.active:
        raise Conflict(
            Text(
                "Kunden er allerede aktiveret med et andet format eller en anden gateway, og intet er ændret. Ret dem under "
                "»Outputformat« og »Gateway« i kundens indstillinger, hvis kunden skal have noget andet.",
                "The customer is active already with another format or gateway, and nothing was changed. Change them under "
                "“Output format” and “Gateway” in the customer's settings if it shall get something else.",
            )
        )
    if shown not in (None, activation_version(rule)):
        raise Conflict(
            Text(
                "En anden har ændret kundens format eller gateway, efter at du åbnede siden. Kunden er ikke aktiveret. Se "
                "herunder, hvad den vil få nu, og aktivér den så.",
                "Somebody else has changed the customer's format or gateway since you opened the page. The customer was not "
                "activated. See below what it will get now, and then activate it.",
            )
        )


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
    chosen = {(RULE, name): raw[name] for name in CHOICES if raw.get(name) and section in (None, *CHOICES)}
    return wanted | chosen


def _require_fit(adaptor: Adaptor, rule: ExportRule, after: Mapping[str, Any]) -> None:
    """Raises ``InvalidInput`` where another format or gateway was chosen and the two do not fit."""
    pair = after[RULE]["format"], after[RULE]["gateway"]
    if pair != (rule.format, rule.gateway_id) and (errors := rules.pair_errors(adaptor, *pair)):
        raise InvalidInput(errors)


def proposed_format(adaptor: Adaptor, customer: Customer) -> str:
    """The id of the format by which the pre-flight judges a customer that was never activated."""
    public = judging.FOR_DANISH_GLN if customer.country == "DK" and customer.gln else judging.FOR_OTHERS
    return adaptor.default_format or public


def proposed_gateway(adaptor: Adaptor) -> str:
    """The id of the adaptor's default gateway, else of the only one that it may use, else ""."""
    if adaptor.default_gateway_id:
        return adaptor.default_gateway_id
    found = db.session.scalars(select(Gateway).where(Gateway.subscription_id == adaptor.subscription_id))
    usable = [row.id for row in found if environments.may_reach(adaptor.environment, row.environment)]
    return usable[0] if len(usable) == 1 else ""


def _rule_at_rest(adaptor: Adaptor, customer: Customer, gateway_id: str | None) -> ExportRule:
    """A rule that sends nothing. Inside the caller's transaction. Raises ``ServiceError``, ``InvalidInput``."""
    format_id, chosen = proposed_format(adaptor, customer), gateway_id or proposed_gateway(adaptor)
    if not chosen:
        raise ServiceError(
            Text(
                "Kundens indstillinger kan først gemmes, når det er klart, hvilken gateway kunden skal bruge. Vælg den under "
                "»Gateway« her, eller vælg en standardgateway under Generelt. Er der ingen gateway, så opret en først.",
                "The customer's settings can be saved once it is clear which gateway the customer uses. Choose it under "
                "“Gateway” here, or choose a default gateway under General. If there is no gateway, make one first.",
            )
        )
    if gateway_id and (error := rules.pair_errors(adaptor, format_id, gateway_id).get("gateway")):
        raise InvalidInput({"gateway": error})
    rule = ExportRule(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=customer.id, active=False,
        format=format_id, gateway_id=chosen, settings={},
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
    ``InvalidInput``, ``ChangedMeanwhile``, ``AdaptorDeleted``.
    """
    with transaction():
        adaptor = rules.held(adaptor_id)
        environments.require_kept(adaptor)
        after = common_after(adaptor, raw, shown=shown, section=section)
        change = changes.record(adaptor, "common", actor, adaptor.settings, after)
        adaptor.settings = after
        change_id = change.id if change else None
    preflight.refresh(adaptor_id)
    return Saved(rules.all_released(adaptor_id, actor).queued, change_id)


def undo(change_id: str, actor: str) -> int:
    """Take a save back (``changes.undo``) and try what waits again; how many documents. Raises ``Conflict``, ``AdaptorDeleted``."""
    change = changes.undo(change_id, actor)
    if change.customer_id is not None:
        preflight.refresh_customer(change.customer_id)
        return rules.released(change.customer_id, actor).queued
    preflight.refresh(change.adaptor_id)
    return rules.all_released(change.adaptor_id, actor).queued
