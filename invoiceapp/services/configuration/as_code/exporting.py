"""What is stored, as a file: the same rows give the same bytes, in every database. Never a secret."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import registry as transports
from invoiceapp.models import Adaptor, Customer, ExportRule, Gateway, db
from invoiceapp.services.configuration.sources import TAX_RATES
from invoiceapp.services.errors import ServiceError
from invoiceapp.sources.base import registry as sources

from .document import VERSION
from .references import Owner, Reference, references_of
from .schedules import schedules_out
from .subscriptions import chosen
from .values import settings_out, value_out, vat_out
from .writing import write

_References = dict[tuple[str, str], dict[str, Reference]]


def export(subscription: str | None = None) -> str:
    """A subscription's configuration as YAML; the only one where none is named. Raises ``ServiceError``."""
    found = chosen(subscription)
    gateways = list(db.session.scalars(select(Gateway).where(Gateway.subscription_id == found.id)))
    adaptors = list(
        db.session.scalars(select(Adaptor).where(Adaptor.subscription_id == found.id, Adaptor.deleted_at.is_(None)))
    )
    _require_distinct("gateway", gateways)
    _require_distinct("adaptor", adaptors)
    gateways.sort(key=lambda row: row.name.strip())
    adaptors.sort(key=lambda row: row.name.strip())
    references = references_of(
        [
            *(Owner("gateway", row.name.strip(), row.secrets, row.secret_references) for row in gateways),
            *(Owner("adaptor", row.name.strip(), row.source_secrets, row.secret_references) for row in adaptors),
        ]
    )
    names = {row.id: row.name.strip() for row in gateways}
    return write(
        {
            "version": int(VERSION),
            "subscription": found.name.strip(),
            "gateways": [_gateway(row, references) for row in gateways],
            "adaptors": [_adaptor(row, references, names) for row in adaptors],
        }
    )


def _require_distinct(what: str, rows: Iterable[Gateway | Adaptor]) -> None:
    """A file names things; two of one name would become one."""
    seen = set()
    for row in rows:
        name = row.name.strip()
        if name in seen:
            raise ServiceError(
                Text(
                    f"To har navnet »{name}«. Omdøb den ene, og prøv igen.",
                    f"Two {what}s are called “{name}”. Rename one of them and try again.",
                )
            )
        seen.add(name)


def _code(known: dict[str, Any], kind: str, name: str) -> Any:
    if kind not in known:
        raise ServiceError(
            Text(
                f"»{name}« er af en art, som denne installation ikke har: {kind}.",
                f"“{name}” is of a kind that this installation does not have: {kind}.",
            )
        )
    return known[kind]


def _config(fields: Iterable[Field], stored: dict[str, Any]) -> dict[str, Any]:
    """What differs from the defaults, in the order of the declarations."""
    return {
        field.name: value_out(stored[field.name])
        for field in fields
        if not field.secret and stored.get(field.name) not in (None, "", field.default)
    }


def _gateway(row: Gateway, references: _References) -> dict[str, Any]:
    name = row.name.strip()
    shown = {
        "name": name,
        "kind": row.kind,
        "environment": row.environment.value,
        "config": _config(_code(transports(), row.kind, name).fields, row.config),
    }
    known = references.get(("gateway", name))
    return {**shown, "secrets": known} if known else shown


def _adaptor(row: Adaptor, references: _References, gateways: dict[str, str]) -> dict[str, Any]:
    name = row.name.strip()
    fields = _code(sources(), row.source_kind, name).fields
    company = row.organization or {}
    rates = {str(rate["id"]): rate for rate in company.get(TAX_RATES, ())}
    return {
        "name": name,
        "description": row.description,
        "source": _source(row, fields, references.get(("adaptor", name))),
        "environment": row.environment.value,
        "active": row.active,
        "defaults": {
            "format": row.default_format,
            "gateway": gateways[row.default_gateway_id] if row.default_gateway_id else None,
        },
        "newCustomers": row.new_customers.value,
        "startDate": row.start_date.isoformat() if row.start_date else None,
        "schedules": schedules_out(row.id),
        "settings": settings_out(row.settings, common=True),
        "vat": vat_out(row.settings, rates),
        "customers": _customers(row, gateways),
    }


def _source(row: Adaptor, fields: Iterable[Field], references: dict[str, Reference] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": row.source_kind, "config": _config(fields, row.source_config)}
    if references:
        found["secrets"] = references
    company = row.organization or {}
    if company.get("id"):
        shown = {
            "id": company["id"], "name": company.get("name"), "registrationNo": company.get("registration_no")
        }  # fmt: skip
        found["company"] = {name: value for name, value in shown.items() if value}
    return found


def _customers(row: Adaptor, gateways: dict[str, str]) -> list[dict[str, Any]]:
    """Those that somebody has decided on, by their id in the source."""
    found = db.session.execute(
        select(Customer.source_id, Customer.name, Customer.number, ExportRule)
        .join(ExportRule, ExportRule.customer_id == Customer.id)
        .where(Customer.adaptor_id == row.id)
    )
    # Sorted here: databases sort texts each in their own way.
    by_id = sorted(found, key=lambda line: str(line[0]))
    return [_customer(source_id, name, number, rule, gateways) for source_id, name, number, rule in by_id]


def _customer(
    source_id: str, name: str, number: str | None, rule: ExportRule, gateways: dict[str, str]
) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": source_id, "name": name.strip() or source_id}
    if number and number.strip():
        shown["number"] = number.strip()
    shown |= {
        "active": rule.active,
        "format": rule.format,
        "gateway": gateways[rule.gateway_id],
        "settings": settings_out(rule.settings, common=False),
    }
    vat = vat_out(rule.settings, {})
    if vat:
        shown["vat"] = vat
    if rule.approved_at is not None:
        shown["approved"] = True
    return shown
