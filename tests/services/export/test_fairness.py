"""Turns between companies: a big one never keeps a small one waiting. Batches are counted, not seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from support.companies import Company, add_pending, add_queued, make_companies, note_sizes

from invoiceapp.domain.delivery import ARRIVED
from invoiceapp.models import Delivery, Document, db
from invoiceapp.services.database import reading
from invoiceapp.services.export import conversion, delivery
from invoiceapp.services.export.fairness import shared_out

FEW = 5
BATCH = conversion.BATCH


class Shelves:
    """What each adaptor has; ``others`` of it is locked by other workers, who never give it back."""

    def __init__(self, stock: dict[str, int], others: dict[str, int] | None = None) -> None:
        self.left = {name: count - (others or {}).get(name, 0) for name, count in stock.items()}
        self.asked: list[tuple[str, int]] = []

    def take(self, name: str, most: int) -> list[str]:
        assert most > 0, "nobody is asked for nothing"
        self.asked.append((name, most))
        count = max(min(most, self.left[name]), 0)
        self.left[name] -= count
        return [name] * count


stocks = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.integers(0, 60), max_size=12)
limits = st.integers(0, 40)


def share(stock: dict[str, int], limit: int, **more: dict[str, int]) -> Counter[str]:
    return Counter(shared_out(list(stock), limit, Shelves(stock, **more).take))


@given(stocks, limits)
def test_a_batch_is_as_full_as_it_can_be_and_never_fuller(stock, limit):
    assert share(stock, limit).total() == min(limit, sum(stock.values()))


@given(stocks, limits)
def test_nobody_is_left_out_where_the_batch_has_a_place_for_each(stock, limit):
    some = {name: count for name, count in stock.items() if count}
    got = share(stock, max(limit, len(stock)))
    assert set(got) == set(some)


@given(stocks, limits)
def test_who_gets_less_than_another_got_all_it_had(stock, limit):
    got = share(stock, limit)
    most = max(got.values(), default=0)
    for name, count in stock.items():
        # One place may be left that cannot be halved.
        assert got[name] == count or got[name] >= most - 1


@given(stocks, limits, st.data())
def test_what_others_hold_is_shared_out_to_those_who_have_more(stock, limit, data):
    held = {name: data.draw(st.integers(0, count)) for name, count in stock.items()}
    free = {name: count - held[name] for name, count in stock.items()}
    got = share(stock, limit, others=held)
    assert got.total() == min(limit, sum(free.values()))
    assert all(got[name] <= free[name] for name in stock)


@given(stocks, limits)
def test_each_is_asked_a_few_times_at_most(stock, limit):
    """A claim is a query: their number must not grow with what the largest has."""
    shelves = Shelves(stock)
    shared_out(list(stock), limit, shelves.take)
    assert all(count <= limit.bit_length() + 1 for count in Counter(name for name, _ in shelves.asked).values())
    assert len(shelves.asked) <= len(stock) + limit


def test_what_one_cannot_use_goes_to_the_others():
    assert share({"small": 5, "big": 50_000}, 20) == {"small": 5, "big": 15}
    assert share({"a": 1, "b": 3, "c": 100}, 20) == {"a": 1, "b": 3, "c": 16}


def test_one_alone_gets_the_whole_batch():
    assert share({"big": 50_000}, 20) == {"big": 20}


def test_with_more_companies_than_places_chance_gives_each_its_turn():
    stock = {f"company {number}": 1_000 for number in range(100)}
    shelves, batches = Shelves(stock), 200
    seen: Counter[str] = Counter()
    for _ in range(batches):
        batch = shared_out(list(stock), 20, shelves.take)
        assert set(Counter(batch).values()) == {1}, "a batch mixes companies as far as it goes"
        seen.update(batch)
    # Each has its turn in one of five batches; in two hundred none is missed (0.8 ** 200 is 4e-20).
    assert len(seen) == len(stock)


@pytest.fixture
def companies(app, partner) -> Callable[[int], list[Company]]:
    """``companies(count)``: each with a gateway of its own to the same partner."""
    return lambda count: make_companies(count, "fake", {"host": "partner.example"})


@pytest.fixture
def many(request: pytest.FixtureRequest) -> int:
    """What the big company has waiting; to lay out more takes most of the time (``python -m benchmarks.fairness`` does)."""
    return 50_000 if request.config.getoption("--full-matrix") else 2_000


def converting() -> Counter[str]:
    """A batch to convert: documents by adaptor."""
    ids = [document_id for document_id, _token in conversion.claim()]
    return _by_adaptor(Document, ids)


def delivering() -> Counter[str]:
    """A batch to send: deliveries by adaptor."""
    return _by_adaptor(Delivery, [lease.delivery_id for lease in delivery.claim()])


def _by_adaptor(model: type[Document | Delivery], ids: list[str]) -> Counter[str]:
    assert len(ids) == len(set(ids)) <= conversion.BATCH == delivery.BATCH
    with reading() as session:
        return Counter(session.scalars(select(model.adaptor_id).where(model.id.in_(ids))))


WORK = pytest.mark.parametrize(("add", "claim"), [(add_queued, converting), (add_pending, delivering)])


@WORK
def test_a_small_companys_documents_are_in_the_first_batch_after_they_came(companies, many, add, claim):
    big, small = companies(2)
    add(big, many)
    note_sizes()
    assert claim() == {big.adaptor_id: BATCH}
    add(small, FEW)
    assert claim() == {small.adaptor_id: FEW, big.adaptor_id: BATCH - FEW}
    assert claim() == {big.adaptor_id: BATCH}


@WORK
def test_two_hundred_companies_are_mixed_in_every_batch(companies, add, claim):
    many = companies(200)
    for one in many:
        add(one, 3)
    note_sizes()
    left = {one.adaptor_id: 3 for one in many}
    while left:
        batch = claim()
        assert len(batch) == min(BATCH, len(left)), "as many companies as the batch has places, or as have work"
        assert batch.total() == min(BATCH, sum(left.values()))
        left = {key: count - batch[key] for key, count in left.items() if count > batch[key]}
    assert claim() == {}


def test_five_documents_are_accepted_before_a_big_company_has_had_one_batch_more(companies, partner):
    big, small = companies(2)
    add_pending(big, 500)
    delivery.deliver_due()
    add_pending(small, FEW)
    before = accepted(big)
    delivery.deliver_due()
    assert accepted(small) == FEW and accepted(big) - before <= BATCH - FEW


def accepted(company: Company) -> int:
    found = select(func.count()).where(Delivery.adaptor_id == company.adaptor_id, Delivery.state.in_(ARRIVED))
    with reading() as session:
        return session.scalar(found) or 0


def test_what_another_worker_holds_at_this_moment_costs_nobody_a_place(companies, app):
    """On PostgreSQL the other's rows are locked and passed over; on SQLite it has the database for itself until it ends."""
    big, small = companies(2)
    many = BATCH + 10
    add_queued(big, many), add_queued(small, FEW)
    if db.engine.dialect.name == "postgresql":
        held = select(Document.id).where(Document.adaptor_id == small.adaptor_id).limit(FEW - 2).with_for_update()
        with db.engine.begin() as other:
            assert len(other.scalars(held).all()) == FEW - 2
            assert converting() == {small.adaptor_id: 2, big.adaptor_id: BATCH - 2}
        assert converting() == {small.adaptor_id: FEW - 2, big.adaptor_id: many - (BATCH - 2)}
    else:
        assert converting() == {small.adaptor_id: FEW, big.adaptor_id: BATCH - FEW}
