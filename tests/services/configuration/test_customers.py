"""The list of customers: filters, orders and pages in both directions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, Readiness, db, new_id, utcnow
from invoiceapp.services.configuration import customers, saving
from invoiceapp.services.configuration.customers import SORTS, Filter

HARMFUL = [
    "\0",
    "a\0b",
    "%",
    "_",
    "\\",
    "'; --",
    "<script>alert(1)</script>",
    "\u202eevil",
    "😀" * 500,
    "x" * 100_000,
    "1" * 26,
]


def names(adaptor: Adaptor, wanted: Filter, **options: str) -> list[str]:
    return [row.name for row in customers.page(adaptor.id, wanted, **options).customers]


@pytest.fixture
def many(adaptor: Adaptor, make_customer) -> list[Customer]:
    """Customers with equal values in every column that has an order, and one that is archived."""
    states, countries = list(Readiness), ("DK", None, "SE", "")
    rows = [
        make_customer(
            f"Kunde {number % 5}", active=(True, False, None)[number % 3], recent_documents=number % 4,
            readiness=states[number % 3], country=countries[number % 4],
        )
        for number in range(23)
    ]  # fmt: skip
    make_customer("Arkiveret", is_archived=True)
    return rows


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_shows_each_customer_once_forwards_and_backwards(adaptor, many, sort):
    pages = [customers.page(adaptor.id, Filter(), sort=sort, size=5)]
    while pages[-1].next:
        pages.append(customers.page(adaptor.id, Filter(), sort=sort, after=pages[-1].next, size=5))
    seen = [row.id for page in pages for row in page.customers]
    assert len(seen) == 23 == len(set(seen)) and {page.matching for page in pages} == {23}
    assert pages[0].previous == "" and [len(page.customers) for page in pages] == [5, 5, 5, 5, 3]
    back = [pages[-1]]
    while back[-1].previous:
        back.append(customers.page(adaptor.id, Filter(), sort=sort, before=back[-1].previous, size=5))
    assert [row.id for page in reversed(back) for row in page.customers] == seen
    assert [page.next for page in reversed(back)][:-1] == [page.next for page in pages][:-1]


@pytest.mark.parametrize("name", [sort for sort in SORTS if sort[0] != "-"])
def test_an_order_turned_round_is_the_other_one_backwards(adaptor, many, name):
    first = customers.page(adaptor.id, Filter(), sort=name).customers
    assert [row.id for row in customers.page(adaptor.id, Filter(), sort=f"-{name}").customers] == [
        row.id for row in reversed(first)
    ]


def test_orders_mean_what_they_say(adaptor, make_customer):
    make_customer("C", recent_documents=3, readiness=Readiness.READY, country="SE")
    make_customer("A", recent_documents=9, readiness=Readiness.UNCHECKED, country=None)
    make_customer("B", recent_documents=0, readiness=Readiness.NEEDS, country="DE")
    assert names(adaptor, Filter()) == ["A", "B", "C"]
    assert names(adaptor, Filter(), sort="-volume") == ["A", "C", "B"]
    assert names(adaptor, Filter(), sort="readiness") == ["B", "C", "A"]
    assert names(adaptor, Filter(), sort="country") == ["A", "B", "C"]


@pytest.mark.parametrize("cursor", [*HARMFUL, "01M831730HR3X5BS0K0CTX3SX2"])
@pytest.mark.parametrize("direction", ["after", "before"])
def test_a_cursor_that_is_none_shows_the_first_page(adaptor, many, direction, cursor):
    first = customers.page(adaptor.id, Filter(), size=5)
    assert customers.page(adaptor.id, Filter(), size=5, **{direction: cursor}) == first


def test_a_customer_of_another_adaptor_is_no_cursor(adaptor, many):
    other = Adaptor(subscription_id=adaptor.subscription_id, name="B", source_kind="billy")
    db.session.add(other)
    db.session.flush()
    stranger = Customer(
        subscription_id=adaptor.subscription_id, adaptor_id=other.id, source_id="x", name="Kunde 3", raw={}
    )
    db.session.add(stranger)
    db.session.commit()
    assert customers.page(adaptor.id, Filter(), after=stranger.id).previous == ""


def test_a_page_behind_the_end_of_a_list_that_shrank_is_the_first_one(adaptor, many):
    last = customers.page(adaptor.id, Filter(), sort="-name").customers[0]
    page = customers.page(adaptor.id, Filter(), after=last.id)
    assert len(page.customers) == 23 and page.previous == ""


@pytest.mark.parametrize("sort", ["", "names", "--name", "-", "\0", "name desc", "x" * 1000])
def test_an_order_that_does_not_exist_is_by_name(adaptor, many, sort):
    assert names(adaptor, Filter(), sort=sort) == names(adaptor, Filter())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(show="active"), {"A 100%", "Ødegård"}), (Filter(show="inactive"), {"B", "C"}),
        (Filter(show="ready"), {"A 100%"}), (Filter(show="needs"), {"B", "C"}), (Filter(show="new"), {"C"}),
        (Filter(country="SE"), {"B"}), (Filter(format="peppol-bis-3"), {"A 100%", "B"}),
        (Filter(text="100%"), {"A 100%"}), (Filter(text="_"), set()), (Filter(text="\\"), set()),
        (Filter(text="5798000000002"), {"B"}), (Filter(text="k-77"), {"C"}), (Filter(text="12345674"), {"C"}),
        (Filter(text="ÅRHUS"), {"B"}), (Filter(text="ødegård"), {"Ødegård"}), (Filter(text="ØDEGÅRD"), {"Ødegård"}),
        (Filter(text="a", show="active", country="DK", format="oioubl-2.1"), {"Ødegård"}),
    ],
)  # fmt: skip
def test_the_list_can_be_narrowed(adaptor, make_customer, wanted, found):
    make_customer("A 100%", readiness=Readiness.READY)
    make_customer("B", active=False, gln="5798000000002", country="SE", city="Århus", readiness=Readiness.NEEDS)
    make_customer("C", active=None, gln=None, registration_no="12345674", number="K-77", country=None, is_new=True)
    make_customer("Ødegård", format="oioubl-2.1", city="Aabenraa")
    assert set(names(adaptor, wanted)) == found
    assert (
        customers.count(adaptor.id, wanted)
        == len(found)
        == len(db.session.scalars(customers.matching(adaptor.id, wanted)).all())
    )


def test_a_gateway_narrows_the_list_too(adaptor, gateway, make_customer):
    make_customer("A"), make_customer("B", active=None)
    assert names(adaptor, Filter(gateway=gateway.id)) == ["A"] and names(adaptor, Filter(gateway=new_id())) == []


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"gln": None},
        {"gln": ""},
        {"country": None},
        {"gln": None, "registration_no": "1"},
        {"country": "", "gln": None},
    ],
)
@pytest.mark.parametrize("own", [{}, {"endpoint": {"scheme": "0088", "value": "5798000000001"}}, {"country": "DK"}])
def test_the_filter_for_what_needs_something_finds_whoever_has_a_hint(adaptor, make_customer, columns, own):
    row = make_customer(**columns)
    row.rule.settings = {"customer": own, "general": {"note": 'not "endpoint": nor "country":'}} if own else {}
    db.session.commit()
    assert bool(names(adaptor, Filter(show="needs"))) == bool(customers.hints(row))
    row.readiness = Readiness.READY
    db.session.commit()
    assert names(adaptor, Filter(show="needs")) == []


@pytest.mark.parametrize("field", ["q", "show", "country", "format", "gateway"])
@pytest.mark.parametrize("value", HARMFUL)
def test_a_filter_takes_whatever_an_address_says(adaptor, many, field, value):
    wanted = Filter.read({field: value})
    page = customers.page(adaptor.id, wanted)
    assert page.matching == customers.count(adaptor.id, wanted) and len(wanted.text) <= 200
    assert Filter.read(wanted.parameters()) == wanted


def test_a_filter_and_its_address_say_the_same():
    wanted = Filter("København", "needs", "DK", "oioubl-2.1", new_id())
    assert Filter.read(wanted.parameters()) == wanted
    assert Filter.read({f"filter.{name}": text for name, text in wanted.parameters().items()}, "filter.") == wanted
    assert Filter.read({}) == Filter() and Filter().parameters() == {}


def test_counts_and_choices_leave_archived_customers_out(adaptor, make_customer):
    make_customer("A", country="SE"), make_customer("B", active=None, country="DE", is_new=True)
    make_customer("C", country="NO", is_archived=True, is_new=True), make_customer("D", active=None, country=None)
    assert customers.counts(adaptor.id) == {"customers": 3, "active": 1}
    assert customers.count_new(adaptor.id) == 1 and customers.countries(adaptor.id) == ["DE", "SE"]


def test_documents_of_a_year_are_counted_for_one_adaptor(adaptor, make_customer, make_document):
    row, today = make_customer(), utcnow().date()
    make_document(row, "1", issue_date=today), make_document(row, "2", issue_date=today - timedelta(days=366))
    db.session.commit()
    customers.count_recent("another")
    db.session.expire_all()
    assert row.recent_documents == 0
    customers.count_recent(adaptor.id)
    db.session.expire_all()
    assert row.recent_documents == 1


def test_what_most_formats_need_is_hinted_at(adaptor, make_customer):
    assert customers.hints(make_customer("A")) == []
    bare = make_customer("B", gln=None, country=None)
    expected = [Text("Mangler EAN eller CVR", "No EAN or CVR"), Text("Mangler land", "No country")]
    assert customers.hints(bare) == expected
    saving.save_overrides(bare.id, {"customer.endpoint": "0184:12345674", "customer.country": "DK"})
    assert customers.hints(db.session.get_one(Customer, bare.id, populate_existing=True)) == []


@pytest.mark.parametrize(
    ("sort", "index"),
    [
        ("name", "ix_customer_adaptor_id_name"),
        ("-volume", "ix_customer_volume"),
        ("readiness", "ix_customer_readiness"),
    ],
)
@pytest.mark.parametrize("paging", ["first", "after", "before"])
def test_a_page_of_a_large_list_is_read_along_an_index(adaptor, make_customer, monkeypatch, sort, index, paging):
    """Never by putting all customers in order: neither the first page, nor the ones before and behind."""
    rows = [{"id": new_id(), "source_id": str(number), "name": f"Kunde {number}"} for number in range(3_000)]
    common = {"subscription_id": adaptor.subscription_id, "adaptor_id": adaptor.id, "raw": {}, "country": "DK"}
    db.session.execute(Customer.__table__.insert(), [{**common, **row} for row in rows])
    db.session.commit()
    plans: list[str] = []
    prefix = "EXPLAIN QUERY PLAN " if db.engine.dialect.name == "sqlite" else "EXPLAIN "
    if prefix == "EXPLAIN ":
        db.session.execute(text("ANALYZE customer"))
        db.session.commit()

    def explain(query):
        compiled = query.compile(db.engine, compile_kwargs={"literal_binds": True})
        plan = db.session.connection().exec_driver_sql(prefix + str(compiled).replace("%%", "%"))
        plans.append("\n".join(str(row) for row in plan))
        return real(query)

    real = db.session.scalars
    cursor = {} if paging == "first" else {paging: rows[1_500]["id"]}
    monkeypatch.setattr(db.session, "scalars", explain)
    customers.page(adaptor.id, Filter(), sort=sort, **cursor)
    assert index in plans[0], plans[0]
    assert "TEMP B-TREE" not in plans[0] and "Sort" not in plans[0], plans[0]
