from __future__ import annotations

import json

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Attempt, Receipt, Subscription, db
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import delivery, events, queries

S = DeliveryState


def test_deliveries_as_json_have_the_keys_that_scripts_rely_on(ready, partner):
    row = ready("1001")
    ready("1002", S.FAILED)
    delivery.deliver_due()
    found = queries.deliveries_as_json()
    assert [item["document_no"] for item in found] == ["1002", "1001"]
    assert set(found[1]) == {
        "id", "document_no", "type", "customer", "format", "transport", "gateway", "state", "sha256", "reference", "error",
        "findings",
    }  # fmt: skip
    assert (found[1]["state"], found[1]["reference"], found[1]["type"]) == (
        "delivered",
        f"{row.idem_key}.xml",
        "invoice",
    )
    assert len(found[1]["sha256"]) == 64
    assert [item["document_no"] for item in queries.deliveries_as_json(S.FAILED)] == ["1002"]
    assert json.loads(json.dumps(found)) == found


def test_the_story_of_a_document_has_everything_that_happened(ready, partner):
    row = ready()
    delivery.deliver_due()
    story = queries.story(row.document)
    assert story.delivery is row and story.rendition.id == row.rendition_id
    assert [type(one) for one in story.attempts[row.id]] == [Attempt]
    assert [type(one) for one in story.receipts[row.id]] == [Receipt]
    assert [event.kind for event in story.events] == ["sending", "delivered"]


def test_an_adaptor_is_found_by_id_name_or_kind(adaptor):
    assert {queries.find_adaptor(text).id for text in (adaptor.id, "billy", "BILLY", "Billy")} == {adaptor.id}
    with pytest.raises(ServiceError) as caught:
        queries.find_adaptor("dinero")
    assert "»dinero« findes ikke" in caught.value.text.da


def test_a_name_that_several_adaptors_have_is_refused(adaptor, subscription):
    db.session.add(Adaptor(subscription_id=subscription.id, name="B", source_kind="billy", settings={}))
    db.session.commit()
    with pytest.raises(ServiceError) as caught:
        queries.find_adaptor("billy")
    assert "id'et" in caught.value.text.da


def test_events_belong_to_their_document_and_delivery(ready):
    row = ready()
    events.of_delivery("sending", row, attempt=1)
    events.of_document("fetched", row.document, actor="a@example.com")
    db.session.commit()
    kinds = [(event.kind, event.delivery_id, event.actor) for event in queries.story(row.document).events]
    assert kinds == [("sending", row.id, "system"), ("fetched", None, "a@example.com")]


def test_the_demo_company_is_told_from_a_real_one(adaptor):
    assert not queries.is_demo(adaptor)
    db.session.get_one(Subscription, adaptor.subscription_id).is_demo = True
    assert queries.is_demo(adaptor)
