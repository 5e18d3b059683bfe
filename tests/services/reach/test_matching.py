from __future__ import annotations

import time
from dataclasses import asdict

import pytest
from sqlalchemy import func, select, update
from support.population import BIS

from invoiceapp.discovery.base import Register
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.network import Network
from invoiceapp.models import Customer, Delivery, Event, Job, JobState, Lookup, Match, MatchState, Stage, db, utcnow
from invoiceapp.services import background, bell
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.reach import accepting, checking, lookups, matching

S = MatchState
HANDLERS = {matching.KIND: matching.run}


@pytest.fixture(autouse=True)
def silent_bell(monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda *_: None)


def check(here, **more):
    """A check of all, to its end; what it found."""
    job_id = matching.start(here.adaptor.id, "anna", **more)
    while background.execute(job_id, HANDLERS):
        pass
    job = db.session.get_one(Job, job_id, populate_existing=True)
    assert job.state is JobState.FINISHED, job.error
    return matching.report_of(job.result)


def forget_answers(here):
    """As if the last look-up were long ago."""
    db.session.execute(update(Lookup).values(confirmed_at=utcnow() - 2 * checking.BY_HAND))
    db.session.commit()


def test_all_customers_are_looked_up_and_proposed(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet ApS", "0184:12345674")
    out_there.register("87654321", "Fælleden", "0088:5798000000001", offers=BIS)
    by_cvr = here.customer()
    by_gln = here.customer("Fælleden", "87654321", gln="5798000000001")
    nobody = here.customer("Ingen", "11111111")
    report = check(here)
    assert asdict(report) == {
        "checked": 3, "found": 2, "several": 0, "not_found": 1, "errors": 0, "new": 2, "changed": 0, "vanished": 0
    }  # fmt: skip
    row = here.match(by_cvr)
    assert (row.state, row.participant, row.registered_name) == (S.FOUND, "0184:12345674", "Bageriet Hjørnet ApS")
    assert row.is_new and row.confidence > 90 and row.routes[0]["format"] == "oioubl-2.1"
    assert here.match(by_gln).routes[0]["format"] == "peppol-bis-3"
    assert here.match(nobody).state is S.NOT_FOUND and not here.match(nobody).is_new


def test_a_danish_company_costs_one_question(here, out_there):
    out_there.register("12345674", "Bageriet", "0184:12345674", "0088:5798000000001")
    here.customer(gln="5798000000001")
    check(here)
    assert out_there.asked == ["company 12345674"]


def test_two_customers_with_one_number_ask_once(here, out_there):
    out_there.register("12345674", "Bageriet", "0184:12345674")
    here.customer()
    here.customer("Bageriet Hjørnet, filialen")
    assert check(here).found == 2 and out_there.asked == ["company 12345674"]


def test_could_not_ask_is_an_error_and_leaves_what_was_known(here, out_there):
    out_there.register("12345674", "Bageriet", "0184:12345674")
    customer = here.customer()
    check(here)
    before = here.match(customer)
    known = (before.participant, before.routes, before.registered_name, before.confidence, before.checked_at)
    forget_answers(here)
    out_there.silent |= set(Register)
    assert check(here).errors == 1
    row = here.match(customer)
    assert row.state is S.ERROR and row.remarks[0]["rule"] == "IA-NETWORK-UNANSWERED"
    assert (row.participant, row.routes, row.registered_name, row.confidence, row.checked_at) == known


def test_after_an_error_the_same_answer_is_no_change(here, out_there):
    out_there.register("12345674", "Bageriet", "0184:12345674")
    customer = here.customer()
    check(here)
    accepting.dismiss(here.adaptor.id, [customer.id])
    forget_answers(here)
    out_there.silent |= set(Register)
    check(here)
    out_there.silent.clear()
    report = check(here)
    row = here.match(customer)
    assert row.state is S.FOUND and not row.is_new and row.changed_at is None and report.changed == 0


def test_vanished_is_told_and_keeps_who_it_was(here, out_there):
    out_there.register("12345674", "Bageriet", "0184:12345674")
    customer = here.customer()
    check(here)
    out_there.forget("0184:12345674")
    forget_answers(here)
    assert check(here).vanished == 1
    row = here.match(customer)
    assert row.state is S.VANISHED and row.is_new and row.changed_at and row.participant == "0184:12345674"
    forget_answers(here)
    assert check(here).vanished == 0 and here.match(customer).state is S.VANISHED


def test_another_way_than_the_accepted_one_is_told(here, out_there):
    out_there.register("12345674", "Bageriet", "0184:12345674")
    customer = here.customer()
    check(here)
    accepting.accept(here.adaptor.id, [customer.id], "anna")
    out_there.forget("0184:12345674")
    out_there.register("12345674", "Bageriet", "0184:12345674", offers=BIS)
    forget_answers(here)
    assert check(here).changed == 1
    row = here.match(customer)
    assert row.state is S.CHANGED and row.is_new and row.accepted["format"] == "oioubl-2.1"
    event = db.session.scalars(select(Event).where(Event.kind == "customers_matched").order_by(Event.id.desc())).first()
    assert event.data["changed"] == 1 and event.data["adaptor"] == here.adaptor.id


def test_a_check_that_finds_what_was_known_tells_nobody(here, out_there):
    here.customer()
    check(here)
    assert db.session.scalar(select(func.count()).where(Event.kind == "customers_matched")) == 0


def test_a_job_goes_on_where_it_stopped_and_asks_nothing_twice(here, out_there, monkeypatch):
    monkeypatch.setattr(matching, "CHUNK", 2)
    monkeypatch.setattr(background, "SLICE", 0.0)
    customers = [here.customer(f"Kunde {number}", f"1000000{number}") for number in range(5)]
    job_id = matching.start(here.adaptor.id, "anna")
    assert background.execute(job_id, HANDLERS) is True
    job = db.session.get_one(Job, job_id, populate_existing=True)
    assert (job.done, job.total) == (2, 5) and db.session.scalar(select(func.count(Match.id))) == 2
    while background.execute(job_id, HANDLERS):
        pass
    assert db.session.scalar(select(func.count(Match.id))) == len(customers)
    companies = [question for question in out_there.asked if question.startswith("company")]
    assert len(companies) == len(set(companies)) == 5


def test_a_cancelled_job_keeps_what_it_found_and_can_be_started_again(here, out_there, monkeypatch):
    monkeypatch.setattr(matching, "CHUNK", 2)
    monkeypatch.setattr(background, "SLICE", 0.0)
    for number in range(5):
        here.customer(f"Kunde {number}", f"1000000{number}")
    job_id = matching.start(here.adaptor.id, "anna")
    background.execute(job_id, HANDLERS)
    assert matching.cancel(job_id, here.adaptor.id)
    assert background.execute(job_id, HANDLERS) is False
    assert db.session.scalar(select(func.count(Match.id))) == 2
    assert check(here).checked == 5


def test_cancelling_during_a_step_writes_nothing_of_that_step(here, out_there, monkeypatch):
    here.customer()
    job_id = matching.start(here.adaptor.id, "anna")
    examine = checking.examine

    def cancelled_meanwhile(*arguments):
        matching.cancel(job_id, here.adaptor.id)
        return examine(*arguments)

    monkeypatch.setattr(checking, "examine", cancelled_meanwhile)
    assert background.execute(job_id, HANDLERS) is False
    assert db.session.scalar(select(func.count(Match.id))) == 0
    assert db.session.get_one(Job, job_id, populate_existing=True).state is JobState.CANCELLED


def test_only_one_check_of_an_adaptor_goes_on(here, out_there):
    here.customer()
    matching.start(here.adaptor.id, "anna")
    with pytest.raises(Conflict):
        matching.start(here.adaptor.id, "bo")


def test_without_a_network_gateway_nothing_is_looked_up(adaptor):
    with pytest.raises(ServiceError, match="no network gateway"):
        matching.start(adaptor.id, "anna")


def test_only_the_chosen_customers_are_looked_up(here, out_there):
    first, _second = here.customer(), here.customer("Anden", "87654321")
    assert check(here, customer_ids=[first.id]).checked == 1
    assert out_there.asked[0] == "company 12345674"


def test_archived_customers_are_left_alone(here, out_there):
    here.customer(is_archived=True)
    assert check(here).checked == 0 and out_there.asked == []


def test_three_hundred_customers_are_asked_about_side_by_side(here, out_there, monkeypatch):
    """40 s for 300 customers at 100 ms (issue 6); here a tenth of both, counted in questions and not by the clock."""
    for number in range(300):
        cvr = f"{20000000 + number}"
        db.session.add(_customer(here, number, cvr))
        if number % 3:
            out_there.register(cvr, f"Kunde {number}", f"0184:{cvr}")
    db.session.commit()
    most = _count_side_by_side(out_there, monkeypatch)
    assert check(here).found == 200
    # One question for who is found; who is not is asked about in Peppol by CVR and SE too.
    assert len(out_there.asked) == 300 + 2 * 100
    assert max(most) == 8


def _customer(here, number, cvr):
    return Customer(
        subscription_id=here.subscription.id, adaptor_id=here.adaptor.id, name=f"Kunde {number}", source_id=str(number),
        registration_no=cvr, country="DK", raw={},
    )  # fmt: skip


def _count_side_by_side(out_there, monkeypatch):
    """How many questions were on their way at once, as seen by each of them."""
    seen, going = [], [0]
    note = out_there.note

    def counted(register, question):
        with out_there.lock:
            going[0] += 1
            seen.append(going[0])
        time.sleep(0.001)
        note(register, question)
        with out_there.lock:
            going[0] -= 1

    monkeypatch.setattr(out_there, "note", counted)
    return seen


def test_what_was_blocked_for_want_of_a_way_is_tried_again_when_one_appears(here, out_there, make_document):
    customer = here.customer()
    check(here)
    out_there.register("12345674", "Bageriet", "0184:12345674")
    forget_answers(here)
    check(here)
    accepting.accept(here.adaptor.id, [customer.id], "anna")
    out_there.forget("0184:12345674")
    forget_answers(here)
    check(here)
    document = make_document(customer, stage=Stage.CONVERTED)
    db.session.add(
        Delivery(
            subscription_id=here.subscription.id, adaptor_id=here.adaptor.id, document_id=document.id,
            gateway_id=here.network.id, state=DeliveryState.BLOCKED, findings=[], format="oioubl-2.1", transport="network",
            idem_key="",
        )
    )  # fmt: skip
    db.session.commit()
    out_there.register("12345674", "Bageriet", "0184:12345674")
    forget_answers(here)
    check(here)
    db.session.expire_all()
    assert document.stage is Stage.QUEUED


def test_a_silent_register_is_asked_once_and_the_networks_answer_for_it(here, out_there):
    out_there.silent.add(Register.NEMHANDELSREGISTERET)
    out_there.register_at(Network.PEPPOL, "0184:12345674")
    customer = here.customer(gln="5798000000001")
    check(here)
    assert here.match(customer).participant == "0184:12345674"
    assert [one for one in out_there.asked if not one.startswith(("peppol", "nemhandel"))] == ["company 12345674"]


def test_registers_that_hang_leave_their_customers_unanswered_and_never_not_found(here, out_there, monkeypatch):
    customers = here.customer(gln="5798000000001"), here.customer("Kunde AS", "974760673", country="NO")
    for patience in (-1.0, 90.0):
        monkeypatch.setattr(checking, "PATIENCE", patience)
        assert check(here).errors == (2 if patience < 0 else 0)
    assert {here.match(one).state for one in customers} == {S.NOT_FOUND}
    forget_answers(here)
    time_passes(monkeypatch, checking, lookups)
    assert check(here).errors == 1 and here.match(customers[0]).state is S.ERROR


def time_passes(monkeypatch, *modules):
    """Each look at the clock is a minute later, so that there is time for one round."""
    clock = iter(range(0, 10**6, 60))
    for module in modules:
        monkeypatch.setattr(module, "time", type("Clock", (), {"monotonic": staticmethod(lambda: next(clock))}))


def test_a_foreign_customer_is_asked_about_in_peppol(here, out_there):
    out_there.register_at(Network.PEPPOL, "0192:974760673")
    customer = here.customer("Kunde AS", "974760673", country="NO")
    check(here)
    assert here.match(customer).participant == "0192:974760673" and out_there.asked == ["peppol 0192:974760673"]


def test_where_there_are_roots_the_signed_registration_is_looked_at(here, out_there):
    customer = here.customer()
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    check(here)
    assert out_there.asked == ["company 12345674"] and here.match(customer).remarks == []
    here.network.config = {**here.network.config, "nemhandel_anchors": "PEM"}
    db.session.commit()
    forget_answers(here)
    check(here)
    assert [remark["rule"] for remark in here.match(customer).remarks] == ["IA-NETWORK-UNUSABLE"]
