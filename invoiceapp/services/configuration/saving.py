"""Saving settings: for all customers of an adaptor, or for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.settings import GROUPS
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Adaptor, ExportRule, db
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError

from . import changes, preflight, rules, versions
from .settings import FORMATS, applied, from_form


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


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did."""

    released: int
    """Blocked documents that are converted again"""
    change_id: str | None
    """For "undo"; None where nothing was changed"""


def save_overrides(
    customer_id: str, raw: Mapping[str, str], *, actor: str = "system", shown: str | None = None
) -> Saved:
    """Keep one customer's settings from form values named ``<group>.<field>``; empty means inherit.

    ``shown`` is ``versions.version`` of the rule's settings when the form was made. Raises ``InvalidInput``,
    ``ChangedMeanwhile``, ``ServiceError``.
    """
    with transaction() as session:
        rule = session.scalar(
            select(ExportRule)
            .where(ExportRule.customer_id == customer_id)
            .with_for_update(of=ExportRule)
            .execution_options(populate_existing=True)
        )
        if rule is None:
            raise ServiceError(Text("Aktivér kunden først.", "Activate the customer first."))
        wanted = from_form(setting_groups(rule), raw)
        versions.require(shown, rule.settings)
        before, rule.settings = rule.settings, applied(rule.settings, wanted)
        adaptor = session.get_one(Adaptor, rule.adaptor_id)
        change = changes.record(adaptor, "customer", actor, before, rule.settings, customer_id)
        change_id = change.id if change else None
    preflight.refresh_customer(customer_id)
    return Saved(rules.release_blocked(customer_id), change_id)


def save_common(adaptor_id: str, raw: Mapping[str, str], *, actor: str = "system", shown: str | None = None) -> Saved:
    """Keep settings for all customers from form values named ``<group>.<field>``; empty means inherit.

    ``shown`` is ``versions.version`` of the adaptor's settings when the form was made. Raises ``InvalidInput``,
    ``ChangedMeanwhile``.
    """
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)
        wanted = from_form(common_groups(adaptor), raw, common=True)
        versions.require(shown, adaptor.settings)
        before, adaptor.settings = adaptor.settings, applied(adaptor.settings, wanted)
        change = changes.record(adaptor, "common", actor, before, adaptor.settings)
        change_id = change.id if change else None
    preflight.refresh(adaptor_id)
    return Saved(rules.release_all_blocked(adaptor_id), change_id)
