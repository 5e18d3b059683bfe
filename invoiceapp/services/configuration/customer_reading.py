"""Reading the customers of a source: our copy is brought up to date, and whoever is new is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import select

from invoiceapp.models import Adaptor, Customer, cut, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.sources.base import Source, SourceCustomer, SourceError

from .sources import TAX_RATES, SourceFailed, open_source, rates_of, remember_failure

_CHUNK = 500


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
            count, rates = read_customers(adaptor_id, source), rates_of(source)
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
