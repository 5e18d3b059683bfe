"""Reading the customers of a source: our copy is brought up to date, and whoever is new is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from invoiceapp.models import Adaptor, Customer, NewCustomers, cut, db, new_id, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.sources.base import Source, SourceCustomer, SourceError

from . import customers, rules
from .sources import (
    TAX_RATES,
    CompanyChanged,
    SourceFailed,
    open_source,
    rates_of,
    remember_failure,
    require_company,
)

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reading found."""

    read: int = 0
    new: int = 0
    """Appeared after the first complete reading; those that the adaptor ignores are not counted"""
    activated: int = 0
    """Of the new ones, by the adaptor's own choice; the others wait for a person"""

    def __add__(self, other: Reading) -> Reading:
        return Reading(self.read + other.read, self.new + other.new, self.activated + other.activated)


def _values(read: SourceCustomer) -> dict[str, Any]:
    return {
        # Cut to the columns: people type anything into a source, and one text too long must not stop a run.
        "name": cut(read.name, 500),
        "number": cut(read.number, 100),
        "registration_no": cut(read.registration_no, 100),
        "gln": cut(read.gln, 50),
        # Not cut: half a name of a country could be the code of another one.
        "country": read.country if read.country and len(read.country) == 2 else None,
        "city": cut(read.city, 200),
        "email": cut(read.email, 255),
        "is_archived": read.is_archived,
        "raw": dict(read.raw),
        "seen_at": utcnow(),
    }


def _store_customers(adaptor_id: str, chunk: Sequence[SourceCustomer]) -> Reading:
    """Insert or update a chunk, in as many statements whatever its length."""
    with transaction() as session:
        # A run and a person may read at the same time; not held, both would insert a new customer.
        adaptor = rules.held(adaptor_id)
        known = _known(adaptor_id, [read.id for read in chunk])
        values = {read.id: _values(read) for read in chunk}
        if known:
            session.execute(update(Customer), [{"id": row, **values[source_id]} for source_id, row in known.items()])
        missing = {source_id: new_id() for source_id in values if source_id not in known}
        if missing:
            owner = {"adaptor_id": adaptor_id, "subscription_id": adaptor.subscription_id}
            rows = [{"id": row, "source_id": name, **owner, **values[name]} for name, row in missing.items()]
            session.execute(insert(Customer), rows)
        listed = [row for source_id, row in missing.items() if not values[source_id]["is_archived"]]
        return Reading(read=len(chunk)) + _decide(adaptor, listed)


def _known(adaptor_id: str, source_ids: Sequence[str]) -> dict[str, str]:
    """Our ids by the source's."""
    query = select(Customer.source_id, Customer.id)
    rows = db.session.execute(query.where(Customer.adaptor_id == adaptor_id, Customer.source_id.in_(source_ids)))
    return dict(rows.all())


def _decide(adaptor: Adaptor, appeared: Sequence[str]) -> Reading:
    """What the adaptor wants with customers that were not there before. In the caller's transaction."""
    policy = adaptor.new_customers
    if not appeared or adaptor.customers_read_at is None or policy is NewCustomers.IGNORE:
        return Reading()
    if policy is NewCustomers.ACTIVATE and (pair := _standard(adaptor)):
        rules.activate_chunk(adaptor, appeared, *pair)
        return Reading(new=len(appeared), activated=len(appeared))
    # Asked for, or wanted but not possible: a person sees it in the list either way.
    db.session.execute(
        update(Customer).where(Customer.id.in_(appeared)).values(is_new=True),
        execution_options={"synchronize_session": False},
    )
    return Reading(new=len(appeared))


def _standard(adaptor: Adaptor) -> tuple[str, str] | None:
    """The adaptor's own format and gateway; None where they are not both set, do not fit, or the adaptor is at rest."""
    format_id, gateway_id = adaptor.default_format, adaptor.default_gateway_id
    if not (format_id and gateway_id and adaptor.active and adaptor.deleted_at is None):
        return None
    return None if rules.pair_errors(adaptor, format_id, gateway_id) else (format_id, gateway_id)


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


def read_customers(adaptor_id: str, source: Source, renew: Callable[[], None] = _nothing) -> Reading:
    """Bring our copy of the source's customers up to date. Raises ``SourceError``.

    ``renew`` is called before each chunk is kept, outside any transaction; what it raises ends the reading.
    """
    found = Reading()
    for chunk in _chunks(source.customers()):
        renew()
        found += _store_customers(adaptor_id, chunk)
    with transaction():
        adaptor = rules.held(adaptor_id)
        adaptor.customers_read_at = adaptor.customers_read_at or utcnow()
    customers.count_recent(adaptor_id)
    return found


def refresh_customers(adaptor_id: str) -> Reading:
    """Open the source and read its customers and tax rates; a failure is remembered for the source page and raised.

    Raises ``SourceError``, and ``CompanyChanged`` before anything is kept.
    """
    try:
        with transaction() as session:
            adaptor = session.get_one(Adaptor, adaptor_id, populate_existing=True)
            company, source = adaptor.organization, open_source(adaptor)
        with source:
            require_company(source, company)
            found, rates = read_customers(adaptor_id, source), rates_of(source)
    except (SourceError, CompanyChanged) as error:
        remember_failure(adaptor_id, error)
        raise
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id)
        adaptor.organization = {**(adaptor.organization or {}), TAX_RATES: rates}
        adaptor.source_checked_at, adaptor.source_error = utcnow(), None
    return found


def read_now(adaptor_id: str) -> Reading:
    """``refresh_customers`` for pages. Raises ``SourceFailed``, ``CompanyChanged``, and ``SecretUnreadable`` before anything is read."""
    try:
        return refresh_customers(adaptor_id)
    except SourceError as error:
        raise SourceFailed(error.text) from error
