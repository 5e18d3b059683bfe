"""Opening the source of an adaptor, and reading its company and customers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.fields import parse_all
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, cut, db, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError, text_dict
from invoiceapp.services.help import help_text
from invoiceapp.sources.base import Organization, Source, SourceCustomer, SourceError, registry

_CHUNK = 500
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


def _rates(source: Source) -> list[dict[str, Any]]:
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
        rates = _rates(source)
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


def _apply(customer: Customer, read: SourceCustomer) -> None:
    # Cut to the columns: people type anything into a source, and one text too long must not stop a run.
    customer.name = cut(read.name, 500)
    customer.number = cut(read.number, 100)
    customer.registration_no = cut(read.registration_no, 100)
    customer.gln = cut(read.gln, 50)
    # Not cut: half a name of a country could be the code of another one.
    customer.country = read.country if read.country and len(read.country) == 2 else None
    customer.city = cut(read.city, 200)
    customer.email = cut(read.email, 255)
    customer.is_archived = read.is_archived
    customer.raw = dict(read.raw)
    customer.seen_at = utcnow()


def _store_customers(adaptor_id: str, subscription_id: str, chunk: list[SourceCustomer]) -> None:
    with transaction() as session:
        # A run and a person may read at the same time; without this both would insert a new customer.
        session.execute(select(Adaptor.id).where(Adaptor.id == adaptor_id).with_for_update(key_share=True))
        known = {
            customer.source_id: customer
            for customer in session.scalars(
                select(Customer).where(
                    Customer.adaptor_id == adaptor_id, Customer.source_id.in_([read.id for read in chunk])
                )
            )
        }
        for read in chunk:
            customer = known.get(read.id)
            if customer is None:
                customer = Customer(adaptor_id=adaptor_id, subscription_id=subscription_id, source_id=read.id)
                session.add(customer)
            _apply(customer, read)


def _chunks(items: Iterable[SourceCustomer]) -> Iterable[list[SourceCustomer]]:
    chunk: list[SourceCustomer] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _nothing() -> None:
    """For callers that hold nothing."""


def read_customers(adaptor_id: str, source: Source, renew: Callable[[], None] = _nothing) -> int:
    """Bring our copy of the source's customers up to date; how many were read. Raises ``SourceError``.

    ``renew`` is called before each chunk is kept, outside any transaction; what it raises ends the reading.
    """
    with transaction():
        subscription_id = db.session.get_one(Adaptor, adaptor_id).subscription_id
    count = 0
    for chunk in _chunks(source.customers()):
        renew()
        _store_customers(adaptor_id, subscription_id, chunk)
        count += len(chunk)
    return count


def refresh_customers(adaptor_id: str) -> int:
    """Open the source and read its customers and tax rates; a failure is remembered for the source page and raised."""
    try:
        with transaction():
            source = open_source(db.session.get_one(Adaptor, adaptor_id))
        with source:
            count, rates = read_customers(adaptor_id, source), _rates(source)
    except SourceError as error:
        remember_failure(adaptor_id, error)
        raise
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id)
        adaptor.organization = {**(adaptor.organization or {}), TAX_RATES: rates}
        adaptor.source_checked_at, adaptor.source_error = utcnow(), None
    return count


def read_now(adaptor_id: str) -> int:
    """``refresh_customers`` for pages. Raises ``SourceFailed``, and ``SecretUnreadable`` before anything is read."""
    try:
        return refresh_customers(adaptor_id)
    except SourceError as error:
        raise SourceFailed(error.text) from error
