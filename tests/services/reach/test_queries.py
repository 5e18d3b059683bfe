from __future__ import annotations

import pytest
from sqlalchemy import delete, event

from invoiceapp.models import Gateway, MatchState, db
from invoiceapp.services import background, bell
from invoiceapp.services.configuration import preflight
from invoiceapp.services.reach import accepting, checking, matching, queries
from invoiceapp.services.reach.queries import SHOWN, Filter

S = MatchState
GLN, OTHER = "5798000000001", "5798000000018"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda *_: None)
    monkeypatch.setattr(preflight, "refresh", lambda *_: None)


@pytest.fixture
def crowd(here, out_there):
    """Anna is found, Bo is found and accepted, Carl is several, Dorte is nobody, Erik was never checked."""
    out_there.register("11111111", "Anna", "0184:11111111")
    out_there.register("22222222", "Bo", "0184:22222222")
    out_there.register("33333333", "Carl", f"0088:{GLN}", f"0088:{OTHER}")
    numbers = {"Anna": "11111111", "Bo": "22222222", "Carl": "33333333", "Dorte": "44444444", "Erik": "55555555"}
    rows = {name: here.customer(name, cvr) for name, cvr in numbers.items()}
    here.customer("Arkiveret", "66666666", is_archived=True)
    for name in ("Anna", "Bo", "Carl", "Dorte"):
        checking.again(rows[name].id)
    accepting.accept(here.adaptor.id, [rows["Bo"].id], "anna")
    return rows


def shown(here, show="all", text=""):
    return [row.customer.name for row in queries.page(here.adaptor.id, Filter(text, show)).rows]


def test_each_word_shows_its_customers_and_counts_them(here, crowd):
    expected = {
        "all": ["Anna", "Bo", "Carl", "Dorte", "Erik"], "new": ["Anna", "Carl"], "found": ["Anna", "Bo"],
        "changed": [], "vanished": [], "several": ["Carl"], "not_found": ["Dorte"], "error": [], "accepted": ["Bo"],
        "unchecked": ["Erik"],
    }  # fmt: skip
    assert {show: shown(here, show) for show in SHOWN} == expected
    assert queries.counts(here.adaptor.id) == {show: len(names) for show, names in expected.items()}


def test_a_search_narrows_by_name_and_number(here, crowd):
    assert shown(here, text="carl") == ["Carl"] and shown(here, text="2222") == ["Bo"]
    assert queries.count(here.adaptor.id, Filter("carl")) == 1


def test_pages_lead_forward_and_back(here, crowd):
    first = queries.page(here.adaptor.id, Filter(), size=2)
    assert [row.customer.name for row in first.rows] == ["Anna", "Bo"] and first.previous == "" and first.matching == 5
    second = queries.page(here.adaptor.id, Filter(), after=first.next, size=2)
    assert [row.customer.name for row in second.rows] == ["Carl", "Dorte"]
    third = queries.page(here.adaptor.id, Filter(), after=second.next, size=2)
    assert [row.customer.name for row in third.rows] == ["Erik"] and third.next == ""
    back = queries.page(here.adaptor.id, Filter(), before=third.previous, size=2)
    assert [row.customer.name for row in back.rows] == ["Carl", "Dorte"]


def test_a_position_that_is_gone_leads_to_the_first_page(here, crowd):
    page = queries.page(here.adaptor.id, Filter(), after="0" * 26)
    assert page.rows[0].customer.name == "Anna"
    assert queries.page(here.adaptor.id, Filter(show="found"), after=crowd["Erik"].id).rows[0].customer.name == "Anna"


def test_a_row_says_what_is_proposed_and_what_was_accepted(here, crowd):
    anna, bo = queries.one(crowd["Anna"].id), queries.one(crowd["Bo"].id)
    assert anna.proposal.format == "oioubl-2.1" and anna.accepted is None and anna.state is S.FOUND
    assert str(bo.accepted.participant) == "0184:22222222" and bo.pinned is None
    assert [one.rule for one in queries.one(crowd["Carl"].id).remarks] == ["IA-NETWORK-SEVERAL"]
    assert queries.one(crowd["Carl"].id).proposal is None
    erik = queries.one(crowd["Erik"].id)
    assert (erik.state, erik.routes, erik.remarks, erik.proposal) == (S.UNCHECKED, [], [], None)


def test_a_row_follows_the_gateways_that_exist_now(here, crowd):
    db.session.execute(delete(Gateway).where(Gateway.name == "NemHandel"))
    db.session.commit()
    listed = queries.page(here.adaptor.id, Filter()).rows[0]
    assert listed.proposal.gateway_id is None and "NemHandel" in listed.proposal.obstacle.en
    other = here.gateway("Ny udbyder", "fake-nemhandel")
    (route,) = queries.one(crowd["Anna"].id).routes
    assert (route.gateway_id, route.obstacle) == (other.id, None)


def test_everything_that_a_filter_shows_can_be_accepted(here, crowd):
    assert queries.ids(here.adaptor.id, Filter(show="found")) == sorted([crowd["Anna"].id, crowd["Bo"].id])


def test_the_page_of_rows_costs_as_many_statements_as_its_size_does_not_matter(here, crowd):
    said: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *arguments: said.append(arguments[2]))

    def shows(size):
        said.clear()
        db.session.expire_all()
        rows = queries.page(here.adaptor.id, Filter(), size=size).rows
        told = [(row.customer.rule is None, row.proposal is None, len(row.routes)) for row in rows]
        return told, len([one for one in said if one.startswith("SELECT")])

    (few, small), (all_of_them, large) = shows(1), shows(5)
    assert all_of_them == [(True, False, 1), (False, False, 1), (True, True, 2), (True, True, 0), (True, True, 0)]
    assert few == all_of_them[:1] and small == large <= 5


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"q": " ka\0ffe ", "show": "new"}, Filter("kaffe", "new")),
        ({"show": "everything"}, Filter()),
        ({"q": "x" * 300}, Filter("x" * 200)),
    ],
)
def test_a_filter_reads_what_makes_sense(values, expected):
    assert Filter.read(values) == expected and Filter.read(expected.parameters()) == expected


def test_the_running_check_and_the_last_one(here, crowd, monkeypatch):
    monkeypatch.setattr(matching, "CHUNK", 2)
    monkeypatch.setattr(background, "SLICE", 0.0)
    assert queries.check(here.adaptor.id) is None
    job_id = matching.start(here.adaptor.id, "anna")
    background.execute(job_id, {matching.KIND: matching.run})
    db.session.expire_all()
    going = queries.check(here.adaptor.id)
    assert going.is_running and (going.job.done, going.job.total, going.report.checked) == (2, 5, 2)
    matching.cancel(job_id, here.adaptor.id)
    db.session.expire_all()
    ended = queries.check(here.adaptor.id)
    assert not ended.is_running and ended.was_cancelled and ended.report.checked == 2 and ended.job.finished_at


def test_the_page_is_offered_where_there_is_a_network_gateway(here, adaptor):
    assert queries.is_offered(adaptor.id)
    here.network.kind = "sftp"
    db.session.commit()
    assert not queries.is_offered(adaptor.id)
