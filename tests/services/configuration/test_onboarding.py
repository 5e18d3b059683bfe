from __future__ import annotations

from typing import Any

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Job, JobState, Run, RunState, db
from invoiceapp.services.configuration import onboarding, preflight
from invoiceapp.services.configuration.onboarding import Step


def done(adaptor: Adaptor) -> set[Step]:
    return {step for step, is_done in onboarding.steps(adaptor).items() if is_done}


@pytest.fixture
def fresh(adaptor: Adaptor) -> Adaptor:
    adaptor.organization, adaptor.settings = None, {}
    db.session.commit()
    return adaptor


def test_nothing_is_done_on_a_fresh_adaptor(fresh):
    assert done(fresh) == set()


def test_a_connected_company_with_a_cvr_number_is_two_steps(fresh):
    fresh.organization = {"id": "1", "name": "Nordlys", "registration_no": "12345674"}
    assert done(fresh) == {Step.CONNECT, Step.COMPANY}


@pytest.mark.parametrize("registration_no", [None, "", "123", "12345678x"])
def test_a_sender_without_a_number_is_not_done_until_an_address_is_set(fresh, registration_no):
    fresh.organization = {"id": "1", "name": "Nordlys", "registration_no": registration_no}
    assert done(fresh) == {Step.CONNECT}
    fresh.settings = {"supplier": {"endpoint": {"scheme": "0088", "value": "5798000000001"}}}
    assert Step.COMPANY in done(fresh)


def test_rates_of_zero_need_somebody_who_chooses_and_the_others_do_not(fresh):
    rates = [{"id": "a", "name": "25 %", "rate": 0.25}, {"id": "b", "name": "0 %", "rate": 0}]
    fresh.organization = {"id": "1", "name": "Nordlys", "tax_rates": rates[:1]}
    assert Step.VAT in done(fresh)
    fresh.organization = {"id": "1", "name": "Nordlys", "tax_rates": rates}
    assert Step.VAT not in done(fresh)
    fresh.settings = {"vat": {"b": {"category": "E"}}}
    assert Step.VAT in done(fresh)


def test_a_check_counts_once_documents_were_read_and_judged(fresh):
    fresh_id, subscription_id = fresh.id, fresh.subscription_id
    job = Job(
        subscription_id=subscription_id, adaptor_id=fresh_id, kind=preflight.KIND, state=JobState.FINISHED, total=0
    )
    run = Run(subscription_id=subscription_id, adaptor_id=fresh_id, trigger="reading", state=RunState.FINISHED, read=3)
    db.session.add_all([job, run])
    db.session.commit()
    assert Step.CHECK not in done(fresh)
    job.total = 3
    db.session.commit()
    assert Step.CHECK in done(fresh)


@pytest.mark.parametrize("state", list(DeliveryState))
def test_only_a_document_that_arrived_ends_the_checklist(
    adaptor: Adaptor, make_customer: Any, make_document: Any, make_delivery: Any, state: DeliveryState
):
    make_delivery(make_document(make_customer(), "1"), state)
    assert Step.CUSTOMERS in done(adaptor) and Step.GATEWAY in done(adaptor)
    assert onboarding.has_exported(adaptor) == (state in ("accepted", "delivered", "acknowledged"))


def test_another_adaptors_work_does_not_count(adaptor, fresh, make_customer, make_document, make_delivery):
    make_delivery(make_document(make_customer(), "1"), DeliveryState.DELIVERED)
    other = Adaptor(subscription_id=adaptor.subscription_id, name="Another", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    assert done(other) == {Step.GATEWAY}
