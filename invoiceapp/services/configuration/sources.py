"""Connecting and opening the source of an adaptor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import func, select

from invoiceapp.current import guard
from invoiceapp.domain.fields import parse_all
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, Document, db, utcnow
from invoiceapp.services import pacing, secrets
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError, text_dict
from invoiceapp.services.help import help_text
from invoiceapp.sources.base import Organization, Source, SourceError, registry

from .environments import require_kept

#: Where ``Adaptor.organization`` keeps the month with which the company's financial year ends; None where nobody said.
LAST_MONTH = "last_month"
#: Where ``Adaptor.organization`` keeps the company's sales tax rates as last read.
TAX_RATES = "tax_rates"


def source_class(adaptor: Adaptor) -> type[Source]:
    """The code behind an adaptor."""
    return registry()[adaptor.source_kind]


def opener(adaptor: Adaptor) -> Callable[[], Source]:
    """Opens sources with their credentials in clear; the caller closes them. What it returns may be called in any thread."""
    values = secrets.unseal(adaptor.source_config, adaptor.source_secrets, f"adaptor/{adaptor.id}")
    return partial(source_class(adaptor), values, guard=guard(), pace=pacing.of(adaptor))


def open_source(adaptor: Adaptor) -> Source:
    """One source of ``opener``."""
    return opener(adaptor)()


_CONFIRM = Text("Bekræft, hvis I virkelig vil skifte virksomhed.", "Confirm if you really want to change company.")
_NOT_READ = Text(
    "Intet er hentet. Indsæt under Kilde tokenet til den rigtige virksomhed, eller bekræft dér, at I skifter virksomhed.",
    "Nothing was read. Under Source, paste the right company's token, or confirm there that you change company.",
)


class CompanyChanged(Conflict):
    """The token opens another company's books than before."""

    def __init__(self, old: str, new: Organization, advice: Text) -> None:
        super().__init__(
            Text(
                f"Tokenet tilhører »{new.name}« (CVR {new.registration_no or '?'}), men adaptoren er forbundet med »{old}«. "
                f"{advice.da}",
                f"The token belongs to “{new.name}” (CVR {new.registration_no or '?'}), but the adaptor is connected to “{old}”. "
                f"{advice.en}",
            )
        )
        self.organization = new


def require_company(source: Source, known: Mapping[str, Any] | None) -> None:
    """Nothing is read from another company than the adaptor is connected to. Raises ``CompanyChanged``, ``SourceError``.

    A token can be replaced where no page asks, as by a configuration file.
    """
    if known and known.get("id"):
        found = source.check()
        if found.id != known["id"]:
            raise CompanyChanged(str(known.get("name")), found, _NOT_READ)


class SourceFailed(ServiceError):
    """The source could not be read; the source's own error as pages show it."""


def rates_of(source: Source) -> list[dict[str, Any]]:
    """The sales tax rates as ``Adaptor.organization`` keeps them."""
    return [{"id": str(rate["id"]), "name": rate.get("name"), "rate": rate.get("rate")} for rate in source.tax_rates()]


@dataclass(frozen=True, slots=True)
class _Opened:
    """What new credentials opened, and how they would be stored."""

    organization: Organization
    rates: list[dict[str, Any]]
    config: dict[str, object]
    secrets: dict[str, str]
    known: Mapping[str, Any]
    """The company of before"""

    @property
    def is_another(self) -> bool:
        """Whether they open another company's books than before."""
        return bool(self.known.get("id")) and self.known["id"] != self.organization.id


def _try(adaptor_id: str, values: Mapping[str, Any]) -> _Opened:
    """Ask the source with new credentials; nothing is kept. Raises ``SourceError``, ``AdaptorDeleted``."""
    with transaction():
        adaptor = db.session.get_one(Adaptor, adaptor_id)
        require_kept(adaptor)
        known = adaptor.organization or {}
        kind, context, pace = adaptor.source_kind, f"adaptor/{adaptor.id}", pacing.of(adaptor)
        shown, sealed = secrets.seal(source_class(adaptor).fields, values, adaptor.source_secrets, context)
    with registry()[kind](secrets.unseal(shown, sealed, context), guard=guard(), pace=pace) as source:
        return _Opened(source.check(), rates_of(source), shown, sealed, known)


def connect(adaptor_id: str, values: Mapping[str, Any], *, confirm_change: bool = False) -> Organization:
    """Test new credentials and keep them. Raises ``SourceError``, ``CompanyChanged``, ``AdaptorDeleted``.

    ``values`` are the source's declared fields; an empty secret keeps the stored one.
    """
    opened = _try(adaptor_id, values)
    organization = opened.organization
    if opened.is_another and not confirm_change:
        raise CompanyChanged(str(opened.known.get("name")), organization, _CONFIRM)
    with transaction():
        adaptor = db.session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)
        require_kept(adaptor)
        if opened.is_another:
            # They say how far the other company's books were read.
            adaptor.watermark, adaptor.retry_ids, adaptor.customers_read_at = None, [], None
        adaptor.source_config, adaptor.source_secrets = opened.config, opened.secrets
        adaptor.organization = {
            "id": organization.id,
            "name": organization.name,
            "registration_no": organization.registration_no,
            TAX_RATES: opened.rates,
            LAST_MONTH: organization.last_month,
        }
        adaptor.source_checked_at, adaptor.source_error = utcnow(), None
    return organization


def _values(adaptor_id: str, raw: Mapping[str, str]) -> dict[str, Any]:
    """What a person typed. Raises ``InvalidInput``."""
    with transaction():
        adaptor = db.session.get_one(Adaptor, adaptor_id)
        old, stored = adaptor.source_config, adaptor.source_secrets
        fields = secrets.optional_where_kept(source_class(adaptor).fields, stored)
    values, errors = parse_all(fields, raw)
    errors |= secrets.lost_by_moving(fields, stored, secrets.kept_for(fields, old, values, stored), values)
    if errors:
        raise InvalidInput(errors)
    return values


def connect_from_form(adaptor_id: str, raw: Mapping[str, str], *, confirm_change: bool = False) -> Organization:
    """``connect`` with what a person typed. Raises ``InvalidInput``, ``CompanyChanged``, ``SourceFailed``."""
    try:
        return connect(adaptor_id, _values(adaptor_id, raw), confirm_change=confirm_change)
    except SourceError as error:
        raise SourceFailed(error.text) from error


@dataclass(frozen=True, slots=True)
class Tried:
    """What a test of the connection found."""

    organization: Organization
    other_than: str | None
    """The company that the adaptor is connected to, where the test opened another one"""


def try_from_form(adaptor_id: str, raw: Mapping[str, str]) -> Tried:
    """Whose books the typed credentials open; nothing is kept. Raises ``InvalidInput``, ``SourceFailed``."""
    try:
        opened = _try(adaptor_id, _values(adaptor_id, raw))
    except SourceError as error:
        raise SourceFailed(error.text) from error
    return Tried(opened.organization, str(opened.known.get("name")) if opened.is_another else None)


@dataclass(frozen=True, slots=True)
class ReadSoFar:
    """What we have of a source."""

    customers: int
    documents: int
    newest: date | None
    """Date of the newest document"""
    rates: int


def read_so_far(adaptor: Adaptor) -> ReadSoFar:
    """What was read from the source until now."""
    customers = select(func.count()).select_from(Customer).where(Customer.adaptor_id == adaptor.id)
    of_it = (Document.subscription_id == adaptor.subscription_id) & (Document.adaptor_id == adaptor.id)
    documents, newest = db.session.execute(select(func.count(), func.max(Document.issue_date)).where(of_it)).one()
    rates = (adaptor.organization or {}).get(TAX_RATES) or []
    return ReadSoFar(db.session.scalar(customers) or 0, documents, newest, len(rates))


def help_of(kind: str, language: str) -> str:
    """How to get credentials for a source, from its folder."""
    return help_text(registry()[kind].__module__, language)


def remember_failure(adaptor_id: str, error: SourceError | CompanyChanged) -> None:
    """Show on the source page what the last call said."""
    with transaction():
        db.session.get_one(Adaptor, adaptor_id).source_error = text_dict(error.text)
