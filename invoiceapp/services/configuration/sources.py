"""Connecting and opening the source of an adaptor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invoiceapp.domain.fields import parse_all
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, db, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError, text_dict
from invoiceapp.services.help import help_text
from invoiceapp.sources.base import Organization, Source, SourceError, registry

#: Where ``Adaptor.organization`` keeps the company's sales tax rates as last read.
TAX_RATES = "tax_rates"


def source_class(adaptor: Adaptor) -> type[Source]:
    """The code behind an adaptor."""
    return registry()[adaptor.source_kind]


def open_source(adaptor: Adaptor) -> Source:
    """A source with its credentials in clear; the caller closes it."""
    values = secrets.unseal(adaptor.source_config, adaptor.source_secrets, f"adaptor/{adaptor.id}")
    return source_class(adaptor)(values)


class CompanyChanged(Conflict):
    """The token opens another company's books than before."""

    def __init__(self, old: str, new: Organization) -> None:
        super().__init__(
            Text(
                f"Tokenet tilhører »{new.name}« (CVR {new.registration_no or '?'}), men adaptoren er forbundet med »{old}«. "
                "Bekræft, hvis I virkelig vil skifte virksomhed.",
                f"The token belongs to “{new.name}” (CVR {new.registration_no or '?'}), but the adaptor is connected to “{old}”. "
                "Confirm if you really want to change company.",
            )
        )
        self.organization = new


class SourceFailed(ServiceError):
    """The source could not be read; the source's own error as pages show it."""


def rates_of(source: Source) -> list[dict[str, Any]]:
    """The sales tax rates as ``Adaptor.organization`` keeps them."""
    return [{"id": str(rate["id"]), "name": rate.get("name"), "rate": rate.get("rate")} for rate in source.tax_rates()]


def connect(adaptor_id: str, values: Mapping[str, Any], *, confirm_change: bool = False) -> Organization:
    """Test new credentials and keep them. Raises ``SourceError``, ``CompanyChanged``.

    ``values`` are the source's declared fields; an empty secret keeps the stored one.
    """
    with transaction():
        adaptor = db.session.get_one(Adaptor, adaptor_id)
        fields = source_class(adaptor).fields
        known = adaptor.organization or {}
        shown, sealed = secrets.seal(fields, values, adaptor.source_secrets, f"adaptor/{adaptor.id}")
        kind, context = adaptor.source_kind, f"adaptor/{adaptor.id}"
    with registry()[kind](secrets.unseal(shown, sealed, context)) as source:
        organization = source.check()
        rates = rates_of(source)
    if known.get("id") and known["id"] != organization.id and not confirm_change:
        raise CompanyChanged(str(known.get("name")), organization)
    with transaction():
        adaptor = db.session.get_one(Adaptor, adaptor_id)
        adaptor.source_config, adaptor.source_secrets = shown, sealed
        adaptor.organization = {
            "id": organization.id,
            "name": organization.name,
            "registration_no": organization.registration_no,
            TAX_RATES: rates,
        }
        adaptor.source_checked_at, adaptor.source_error = utcnow(), None
    return organization


def connect_from_form(adaptor_id: str, raw: Mapping[str, str], *, confirm_change: bool = False) -> Organization:
    """``connect`` with what a person typed. Raises ``InvalidInput``, ``CompanyChanged``, ``SourceFailed``."""
    with transaction():
        adaptor = db.session.get_one(Adaptor, adaptor_id)
        old, stored = adaptor.source_config, adaptor.source_secrets
        fields = secrets.optional_where_kept(source_class(adaptor).fields, stored)
    values, errors = parse_all(fields, raw)
    errors |= secrets.lost_by_moving(stored, secrets.kept_for(fields, old, values, stored), values)
    if errors:
        raise InvalidInput(errors)
    try:
        return connect(adaptor_id, values, confirm_change=confirm_change)
    except SourceError as error:
        raise SourceFailed(error.text) from error


def help_of(kind: str, language: str) -> str:
    """How to get credentials for a source, from its folder."""
    return help_text(registry()[kind].__module__, language)


def remember_failure(adaptor_id: str, error: SourceError) -> None:
    """Show on the source page what the last call said."""
    with transaction():
        db.session.get_one(Adaptor, adaptor_id).source_error = text_dict(error.text)
