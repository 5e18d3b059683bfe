"""All companies of a person: the page, its poll, its file, and that every link leads into the right company."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from invoiceapp.blueprints.cockpit.words import summary
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Membership, Problem, Role, Subscription, User, db, new_id, utcnow
from invoiceapp.services.daily import health
from invoiceapp.services.people import cockpit
from invoiceapp.services.people.cockpit import Light

PATH = "/cockpit"


@pytest.fixture(autouse=True)
def workers(monkeypatch) -> list[health.Line]:
    """What the page is told of background work."""
    told = [health.Line(health.Part.WORKERS, "", health.Level.GOOD, Text("Arbejder", "At work"))]
    monkeypatch.setattr(health, "workers", lambda: told[0])
    return told


@pytest.fixture
def second(user: User) -> Adaptor:
    """The only adaptor of another company of the same person."""
    subscription = Subscription(name="=Bager & Søn")
    db.session.add(subscription)
    db.session.flush()
    db.session.add(Membership(subscription_id=subscription.id, user_id=user.id, role=Role.OWNER))
    row = Adaptor(
        subscription_id=subscription.id, name="Butik", source_kind="billy", settings={}, organization={"id": "o"},
        source_checked_at=utcnow(),
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


def problem(adaptor: Adaptor, **columns: object) -> Problem:
    row = Problem(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, key=new_id(), rule="BR-1", turn="here",
        text={"da": "EAN-nummeret mangler. Mere", "en": "The EAN number is missing. More"}, documents=3, **columns,
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


def test_each_company_has_a_line_in_words_and_its_next_problem_leads_into_it(signed_in, adaptor, second):
    found = problem(second)
    page = signed_in.get(PATH).text
    assert page.index("Bager &amp; Søn") < page.index('id="company-' + adaptor.subscription_id)
    link = re.search(rf'id="next-{second.subscription_id}" href="([^"]+)">([^<]+)<', page)
    assert link[1] == f"/problems/{found.id}" and "EAN-nummeret mangler" in link[2]
    assert "Kræver dig" in page or "Needs you" in page
    shown = signed_in.get(link[1])
    assert shown.status_code == 200
    # The page now looks at that company, for this request and the next.
    assert "Butik" in signed_in.get("/problems").text


def test_a_line_without_an_adaptor_can_be_entered(signed_in, submit, user, adaptor, second):
    other = second.subscription_id
    second.deleted_at = utcnow()
    db.session.commit()
    assert 'action="/cockpit/enter"' in signed_in.get(PATH).text
    assert submit(signed_in, "/cockpit/enter", {"subscription": other}).status_code == 303
    with signed_in.session_transaction() as session:
        assert session["subscription_id"] == other
    assert submit(signed_in, "/cockpit/enter", {"subscription": "01NONE"}).status_code == 404


def test_only_those_with_several_companies_are_offered_the_page(signed_in, adaptor, user):
    assert 'id="all-companies"' not in signed_in.get("/inbox").text
    assert signed_in.get(PATH).status_code == 200
    other = Subscription(name="B")
    db.session.add(other)
    db.session.flush()
    db.session.add(Membership(subscription_id=other.id, user_id=user.id, role=Role.MEMBER))
    db.session.commit()
    assert 'id="all-companies" href="/cockpit"' in signed_in.get("/inbox").text


def test_nobody_sees_the_companies_of_others(stranger, adaptor):
    for path in (PATH, f"{PATH}/companies.csv", f"{PATH}/live"):
        assert "Eksempel ApS" not in stranger.get(path).text


def test_the_poll_answers_only_when_something_has_changed(signed_in, adaptor, second, monkeypatch):
    monkeypatch.setattr(cockpit, "_OLDEST", 10**12)
    version = re.search(r'id="companies-version" name="v" value="([^"]+)"', signed_in.get(PATH).text)[1]
    assert signed_in.get(f"{PATH}/live?v={version}").status_code == 204
    problem(adaptor)
    answer = signed_in.get(f"{PATH}/live?v={version}")
    assert answer.status_code == 200 and "<html" not in answer.text and "EAN" in answer.text


def test_the_search_is_in_the_address_and_its_answer_a_fragment(signed_in, adaptor, second):
    page = signed_in.get(f"{PATH}?q=bager").text
    assert "Bager" in page and f"company-{adaptor.subscription_id}" not in page
    answer = signed_in.get(f"{PATH}?q=xyz", headers={"HX-Request": "true"})
    assert "<html" not in answer.text and answer.headers["HX-Push-Url"] == "/cockpit?q=xyz"


def test_the_file_has_the_same_lines_and_no_formulas(signed_in, adaptor, second):
    problem(second)
    answer = signed_in.get(f"{PATH}/companies.csv")
    lines = answer.data.decode("utf-8-sig").splitlines()
    assert len(lines) == 3 and lines[1].startswith("'=Bager & Søn;") and "EAN-nummeret mangler" in lines[1]
    assert "attachment" in answer.headers["Content-Disposition"]


def test_several_adaptors_are_folded_under_their_company(signed_in, adaptor, subscription):
    more = Adaptor(subscription_id=subscription.id, name="Webshop", source_kind="billy", settings={})
    db.session.add(more)
    db.session.commit()
    page = signed_in.get(PATH).text
    folded = re.search(rf'<details id="adaptors-{subscription.id}">(.*?)</details>', page, re.S)[1]
    assert "Webshop" in folded and f"/?adaptor={adaptor.id}" in folded


def test_background_work_that_is_down_is_told_once_on_top(signed_in, adaptor, second, workers):
    workers[0] = health.Line(
        health.Part.WORKERS, "", health.Level.BAD, Text("Uret er standset", "Stopped"), Text("Sig det", "Tell")
    )  # fmt: skip
    page = signed_in.get(PATH).text
    top = re.search(r'id="companies-workers">(.*?)<table', page, re.S)
    assert top and "Uret er standset" in top[1]


def test_a_single_document_is_led_to_itself(signed_in, adaptor, make_customer, make_document):
    document = make_document(make_customer())
    row = problem(adaptor, document_id=document.id)
    row.documents = 1
    db.session.commit()
    assert f'href="/documents/{document.id}"' in signed_in.get(PATH).text
    assert db.session.scalars(select(Problem)).one().documents == 1


def test_a_new_company_leads_its_owner_to_the_catalogue(signed_in, user, adaptor, submit):
    new = Subscription(name="Nystartet")
    db.session.add(new)
    db.session.flush()
    mine = Membership(subscription_id=new.id, user_id=user.id, role=Role.OWNER)
    db.session.add(mine)
    db.session.commit()
    assert f'id="set-up-{new.id}"' in signed_in.get(PATH).text
    entered = submit(signed_in, f"{PATH}/enter", {"subscription": new.id, "to": "catalogue"})
    assert entered.headers["Location"].endswith("/adaptors/catalogue")
    mine.role = Role.MEMBER
    db.session.commit()
    assert f'id="set-up-{new.id}"' not in signed_in.get(PATH).text


def test_the_summary_leaves_out_what_there_is_none_of(app):
    how_many = {Light.RED: 1, Light.AMBER: 0, Light.GREEN: 2, Light.REST: 1}
    with app.test_request_context():
        assert summary(how_many) == "1 kræver dig, 2 er i orden, 1 er slået fra"
