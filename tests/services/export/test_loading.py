"""A batch is read once, and no document is converted as it was before somebody changed it."""

import pytest
from sqlalchemy import event

from invoiceapp.domain.delivery import DeliveryState as S
from invoiceapp.models import Adaptor, Document, ExportRule, Stage, db
from invoiceapp.services.export import conversion, loading


@pytest.fixture
def batch(queued):
    """Three documents claimed and read: tokens and works by the documents' ids."""
    for number in ("1001", "1002", "1003"):
        queued(number)
    claimed = dict(conversion.claim())
    return claimed, loading.of_batch(list(claimed.items()))


def changed(key, **values):
    document = db.session.get_one(Document, key, populate_existing=True)
    for name, value in values.items():
        setattr(document, name, value)
    db.session.commit()


def test_a_whole_batch_is_read_by_one_query(queued):
    for number in ("1001", "1002", "1003"):
        queued(number)
    claimed, statements = conversion.claim(), []

    def execute(_connection, _cursor, statement, *_more):
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", execute)
    try:
        found = loading.of_batch(claimed)
        assert {one.bundle["invoice"]["id"] for one in found.values()} and len(found) == 3
    finally:
        event.remove(db.engine, "before_cursor_execute", execute)
    assert len([one for one in statements if one.startswith("SELECT")]) == 1


def test_nothing_is_read_for_an_empty_batch():
    assert loading.of_batch([]) == {}


def test_what_the_batch_has_read_is_used_and_its_try_counted(batch):
    claimed, works = batch
    key = min(claimed)
    assert loading.begin(key, claimed[key], works[key]) is works[key]
    assert works[key].document.tries == db.session.get_one(Document, key).tries == 1


def test_a_document_that_a_person_has_changed_since_is_read_anew(batch):
    claimed, works = batch
    key = min(claimed)
    changed(key, send_anyway=True)
    found = loading.begin(key, claimed[key], works[key])
    assert found is not works[key]
    assert found.document.send_anyway and found.document.tries == 1


def test_a_document_that_another_worker_has_taken_since_is_left_to_it(batch):
    claimed, works = batch
    key = min(claimed)
    changed(key, lease_token="somebody else")
    assert loading.begin(key, claimed[key], works[key]) is None
    assert db.session.get_one(Document, key, populate_existing=True).tries == 0


def test_a_document_of_an_adaptor_switched_off_since_keeps_its_place_untried(batch, adaptor):
    claimed, works = batch
    key = min(claimed)
    db.session.get_one(Adaptor, adaptor.id, populate_existing=True).active = False
    db.session.commit()
    assert loading.begin(key, claimed[key], works[key]) is None
    document = db.session.get_one(Document, key, populate_existing=True)
    assert (document.stage, document.tries, document.lease_token) == (Stage.QUEUED, 0, None)


def test_what_has_left_or_has_no_active_customer_is_not_of_the_batch(queued, make_delivery):
    sent, other = queued("1001"), queued("1002")
    make_delivery(sent, S.DELIVERED)
    claimed = dict(conversion.claim())
    for rule in db.session.query(ExportRule):
        rule.active = False
    db.session.commit()
    assert loading.of_batch(list(claimed.items())) == {}
    assert [loading.begin(key, claimed[key]) for key in (sent.id, other.id) if key in claimed] == [None] * len(claimed)
    assert db.session.get_one(Document, other.id, populate_existing=True).stage is Stage.LISTED
