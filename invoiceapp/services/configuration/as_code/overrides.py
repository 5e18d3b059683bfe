"""Common settings, customers and their overrides, made as a file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, ExportRule, Gateway, db, new_id, utcnow
from invoiceapp.services.configuration import changes, rules
from invoiceapp.services.configuration.settings import Place, applied

from .document import AdaptorEntry, CustomerEntry
from .values import declared_places
from .wording import Subject
from .work import ACTOR, Work


def wanted_settings(stored: Mapping[str, Any], settings: Mapping[Place, Any] | None, *, common: bool) -> dict[str, Any]:
    """Stored settings with what the file says of them; a setting that it leaves out is inherited again.

    What no field declares any more is left alone.
    """
    if settings is None:
        return dict(stored)
    return applied(stored, dict.fromkeys(declared_places(common=common)) | dict(settings))


def wanted_vat(stored: Mapping[str, Any], vat: Mapping[str, dict[str, Any]] | None) -> dict[str, Any]:
    """The same for the VAT categories; an unchanged one stays as it is stored."""
    if vat is None:
        return dict(stored)
    old = stored.get("vat") or {}
    places: dict[Place, Any] = {("vat", rate_id): None for rate_id in old}
    for rate_id, choice in vat.items():
        places["vat", rate_id] = old[rate_id] if _bare(old.get(rate_id)) == _bare(choice) else choice
    return applied(stored, places)


def _bare(choice: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (choice or {}).items() if value not in (None, "")}


def _is_other(work: Work, subject: Subject, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    found = changes.differences(before, after)
    for item in found:
        work.change(subject, ".".join(item.place), item.before, item.after)
    return bool(found)


def set_settings(work: Work, entry: AdaptorEntry, row: Adaptor) -> None:
    """The common settings and the VAT categories."""
    before = row.settings
    settings = wanted_settings(before, entry.settings, common=True)
    # Two saves in the history, as the two pages make them.
    for kind, after in (("common", settings), ("vat", wanted_vat(settings, entry.vat))):
        if _is_other(work, Subject(adaptor=entry.name), before, after):
            row.settings = after
            changes.record(row, kind, ACTOR, before, after)
        before = after


@dataclass(slots=True)
class _Customers:
    """The customers of one adaptor, while a file is applied to them."""

    work: Work
    entry: AdaptorEntry
    adaptor: Adaptor
    rows: dict[str, Customer]
    rules: dict[str, ExportRule]
    """By the customer's id"""
    pairs: dict[tuple[str, str], dict[str, Text]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Of gateways, by their ids"""
    changed: list[changes.CustomerSave] = field(default_factory=list)
    """For the history"""

    def errors(self, format_id: str, gateway_id: str) -> dict[str, Text]:
        """``rules.pair_errors``, asked once a pair."""
        pair = (format_id, gateway_id)
        if pair not in self.pairs:
            self.pairs[pair] = rules.pair_errors(self.adaptor, format_id, gateway_id)
        return self.pairs[pair]


def set_customers(work: Work, entry: AdaptorEntry, adaptor: Adaptor) -> None:
    """The customers and their rules, those of the file only unless it shall prune."""
    if entry.customers is None:
        return
    db.session.flush()
    found = _read(work, entry, adaptor)
    with db.session.no_autoflush:
        for customer in entry.customers:
            _customer(found, customer)
        if work.prune:
            _prune(found, {customer.source_id for customer in entry.customers})
    db.session.flush()
    changes.record_many(adaptor, ACTOR, found.changed)


def _read(work: Work, entry: AdaptorEntry, adaptor: Adaptor) -> _Customers:
    locked = (
        select(ExportRule)
        .where(ExportRule.adaptor_id == adaptor.id)
        .with_for_update(of=ExportRule)
        .execution_options(populate_existing=True)
    )
    known = {rule.customer_id: rule for rule in db.session.scalars(locked)}
    customers = select(Customer).where(Customer.adaptor_id == adaptor.id).execution_options(populate_existing=True)
    rows = {row.source_id: row for row in db.session.scalars(customers)}
    names = {gateway.id: name for name, gateway in work.gateways.items()}
    return _Customers(work, entry, adaptor, rows, known, names=names)


def _customer(found: _Customers, entry: CustomerEntry) -> None:
    row = found.rows.get(entry.source_id)
    rule = found.rules.get(row.id) if row else None
    gateway = _gateway(found, entry, rule)
    format_id = entry.columns.get("format") or (rule.format if rule else found.adaptor.default_format)
    if format_id is None:
        entry.section.complain(Text("»format« mangler.", "“format” is missing."))
    if gateway is None or format_id is None:
        return
    if row is None:
        # A placeholder: the next reading of the source fills it.
        row = Customer(
            id=new_id(), subscription_id=found.adaptor.subscription_id, adaptor_id=found.adaptor.id,
            source_id=entry.source_id, name=entry.name, number=entry.number, raw={},
        )  # fmt: skip
        db.session.add(row)
    subject = Subject(adaptor=found.entry.name, customer=entry.source_id, customer_name=row.name)
    if rule is None:
        rule = _new_rule(found, entry, row, format_id, gateway)
        found.work.made(subject, f"{'active' if rule.active else 'not active'}, {format_id} by {gateway.name}")
        _check_pair(found, entry, rule)
        before = changes.of_rule(rule)
    else:
        before = changes.of_rule(rule)
        _set_rule(found, entry, rule, subject, format_id, gateway)
    _set_overrides(found, entry, rule, subject)
    if (after := changes.of_rule(rule)) != before:
        found.changed.append((rule.customer_id, before, after))


def no_gateway(name: str) -> Text:
    """Neither the file nor the subscription has it."""
    return Text(f"Der er ingen gateway »{name}«.", f"There is no gateway “{name}”.")


def _gateway(found: _Customers, entry: CustomerEntry, rule: ExportRule | None) -> Gateway | None:
    """The gateway of the file, else the rule's, else the adaptor's; None after a complaint."""
    name = entry.columns.get("gateway")
    if name is not None:
        if name not in found.work.gateways:
            entry.section.complain(no_gateway(name), "gateway")
        return found.work.gateways.get(name)
    gateway_id = rule.gateway_id if rule else found.adaptor.default_gateway_id
    if gateway_id is None:
        entry.section.complain(Text("»gateway« mangler.", "“gateway” is missing."))
        return None
    return found.work.gateways[found.names[gateway_id]]


def _new_rule(
    found: _Customers, entry: CustomerEntry, row: Customer, format_id: str, gateway: Gateway
) -> ExportRule:  # fmt: skip
    rule = ExportRule(
        id=new_id(), subscription_id=row.subscription_id, adaptor_id=found.adaptor.id, customer_id=row.id,
        active=entry.columns.get("active", True), format=format_id, gateway_id=gateway.id, settings={},
    )  # fmt: skip
    row.is_new = False
    db.session.add(rule)
    return rule


def _check_pair(found: _Customers, entry: CustomerEntry, rule: ExportRule) -> None:
    """As the page does where a customer is activated, or gets another format or gateway."""
    if rule.active:
        for name, text in found.errors(rule.format, rule.gateway_id).items():
            entry.section.complain(text, name)


def _set_rule(
    found: _Customers, entry: CustomerEntry, rule: ExportRule, subject: Subject, format_id: str, gateway: Gateway
) -> None:
    work, before = found.work, found.names[rule.gateway_id]
    is_other = work.set(subject, rule, "active", entry.columns.get("active", rule.active), "active")
    is_other |= work.set(subject, rule, "format", format_id, "format")
    if gateway.id != rule.gateway_id:
        rule.gateway_id = gateway.id
        work.change(subject, "gateway", before, gateway.name)
        is_other = True
    if is_other:
        _check_pair(found, entry, rule)


def _set_overrides(found: _Customers, entry: CustomerEntry, rule: ExportRule, subject: Subject) -> None:
    before = rule.settings
    after = wanted_vat(wanted_settings(before, entry.settings, common=False), entry.vat)
    if _is_other(found.work, subject, before, after):
        rule.settings = after
    approved = entry.columns.get("approved")
    if approved is not None and approved != (rule.approved_at is not None):
        rule.approved_at, rule.approved_by = (utcnow(), ACTOR) if approved else (None, None)
        found.work.change(subject, "approved", not approved, approved)


def _prune(found: _Customers, listed: set[str]) -> None:
    for source_id, row in sorted(found.rows.items()):
        rule = found.rules.get(row.id)
        if rule is not None and rule.active and source_id not in listed:
            subject = Subject(adaptor=found.entry.name, customer=source_id, customer_name=row.name)
            found.work.set(subject, rule, "active", False, "active")
