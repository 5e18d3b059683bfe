"""What the database keeps by itself: after any history the status of each document and the figures are what the rows say."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from support.moving import unguarded

from invoiceapp.domain.delivery import EXCLUSIVE, DeliveryState
from invoiceapp.models import Adaptor, Delivery, Document, Gateway, Stage, StatusChange, Tally, db, new_id
from invoiceapp.services.daily import listing
from invoiceapp.services.export.queries import Row

S = DeliveryState
SHOWN_AS = {S.LEASED.value: S.PENDING.value, S.SENDING.value: S.PENDING.value}
DAYS = [date(2026, 11, 1) + timedelta(days=number) for number in range(3)]


def newest(document: Document) -> Delivery | None:
    rows = [
        row
        for row in db.session.scalars(select(Delivery).where(Delivery.document_id == document.id))
        if row.state is not S.SUPERSEDED
    ]
    return max(rows, key=lambda row: row.id, default=None)


def require_what_the_rows_say(adaptor_id: str) -> None:
    db.session.expire_all()
    statuses: Counter[str] = Counter()
    for document in db.session.scalars(select(Document).where(Document.adaptor_id == adaptor_id)):
        delivery = newest(document)
        status = Row(document, delivery).status
        assert document.status == SHOWN_AS.get(status, status)
        assert document.delivery_id == (delivery.id if delivery else None)
        assert (document.format, document.gateway_id) == (
            (delivery.format, delivery.gateway_id) if delivery else (None, None)
        )
        statuses[document.status] += 1
    counted = listing.counts([adaptor_id])
    assert {name: counted[name] for name in listing.STATUSES} == {name: statuses[name] for name in listing.STATUSES}
    assert counted["total"] == statuses.total()
    for day in DAYS:
        issued = select(func.count()).where(Document.adaptor_id == adaptor_id, Document.issue_date == day)
        assert listing.counts([adaptor_id], day, day)["total"] == db.session.scalar(issued)


@pytest.fixture
def other_gateway(subscription) -> Gateway:
    row = Gateway(subscription_id=subscription.id, name="Anden", kind="sftp", config={}, secrets={})
    db.session.add(row)
    db.session.commit()
    return row


def deliver(document: Document, state: DeliveryState, gateway: Gateway, form: str = "peppol-bis-3") -> Delivery:
    row = Delivery(
        subscription_id=document.subscription_id, adaptor_id=document.adaptor_id, document_id=document.id,
        gateway_id=gateway.id, format=form, transport=gateway.kind, state=state, idem_key=new_id().lower(),
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


def _deliver(make: dict[str, Any], document: Document, state: DeliveryState, gateway: int) -> None:
    """Where the rule "sent once" allows it; the rule itself has tests elsewhere."""
    chosen = make["gateways"][gateway]
    taken = select(Delivery.id).where(
        Delivery.document_id == document.id, Delivery.gateway_id == chosen.id, Delivery.state.in_(EXCLUSIVE)
    )
    if state not in EXCLUSIVE or db.session.scalar(taken) is None:
        deliver(document, state, chosen, ("peppol-bis-3", "pdf")[gateway])


def _move(make: dict[str, Any], document: Document, state: DeliveryState, which: int) -> None:
    rows = db.session.scalars(select(Delivery).where(Delivery.document_id == document.id)).all()
    if rows:
        row = rows[which % len(rows)]
        taken = {one.gateway_id for one in rows if one is not row and one.state in EXCLUSIVE}
        if state not in EXCLUSIVE or row.gateway_id not in taken:
            with unguarded():
                row.state = state


def _move_all(make: dict[str, Any], _document: Document, state: DeliveryState, which: int) -> None:
    if state not in EXCLUSIVE:
        with unguarded():
            db.session.execute(
                update(Delivery).where(Delivery.gateway_id == make["gateways"][which % 2].id).values(state=state)
            )


def _stage(_make: dict[str, Any], document: Document, state: DeliveryState, which: int) -> None:
    document.stage = list(Stage)[(which + list(S).index(state)) % len(Stage)]


def _stage_all(make: dict[str, Any], document: Document, _state: DeliveryState, which: int) -> None:
    db.session.execute(update(Document).values(stage=list(Stage)[which % len(Stage)]))


def _day(_make: dict[str, Any], document: Document, _state: DeliveryState, which: int) -> None:
    document.issue_date = DAYS[which % 3]


def _delete_delivery(_make: dict[str, Any], document: Document, _state: DeliveryState, _which: int) -> None:
    row = newest(document)
    if row is not None:
        db.session.execute(delete(Delivery).where(Delivery.id == row.id))


def _delete(make: dict[str, Any], document: Document, _state: DeliveryState, _which: int) -> None:
    if len(make["documents"]) > 1:
        db.session.execute(delete(Delivery).where(Delivery.document_id == document.id))
        db.session.execute(delete(StatusChange).where(StatusChange.document_id == document.id))
        db.session.execute(delete(Document).where(Document.id == document.id))
        make["documents"].remove(document.id)


STEPS: list[Callable[..., None]] = [
    lambda make, document, state, which: _deliver(make, document, state, which % 2),
    _move, _move_all, _stage, _stage_all, _day, _delete_delivery, _delete,
]  # fmt: skip
HISTORY = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 2), st.sampled_from(list(S)), st.integers(0, 11)), max_size=14
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORY)
def test_after_any_history_status_and_figures_are_what_the_rows_say(
    history, adaptor, gateway, other_gateway, make_customer, make_document
):
    db.session.execute(delete(Delivery))
    db.session.execute(delete(StatusChange))
    db.session.execute(delete(Document))
    customer = make_customer()
    documents = [make_document(customer, str(number), issue_date=DAYS[number]).id for number in range(3)]
    make = {"documents": documents, "gateways": [gateway, other_gateway]}
    for step, which, state, choice in history:
        step(make, db.session.get_one(Document, documents[which % len(documents)]), state, choice)
        db.session.commit()
    require_what_the_rows_say(adaptor.id)


def test_what_is_rolled_back_was_never_counted(adaptor, make_customer, make_document, make_delivery):
    document = make_document(make_customer())
    row = make_delivery(document, S.PENDING)
    row.state = S.ACCEPTED
    db.session.flush()
    assert listing.counts([adaptor.id])["accepted"] == 1
    db.session.rollback()
    assert listing.counts([adaptor.id])["accepted"] == 0 and listing.counts([adaptor.id])["pending"] == 1


def test_a_lease_is_no_news_for_a_list(make_customer, make_document, make_delivery):
    document = make_document(make_customer())
    row = make_delivery(document, S.PENDING)
    db.session.refresh(document)
    before, rows = document.status_at, db.session.scalar(select(func.count()).select_from(Tally))
    for state in (S.LEASED, S.SENDING, S.PENDING):
        row.state = state
        db.session.commit()
    db.session.refresh(document)
    assert (document.status, document.status_at) == ("pending", before)
    assert db.session.scalar(select(func.count()).select_from(Tally)) == rows


def test_two_deliveries_of_one_document_that_move_at_once_leave_the_newest_ones_state(
    app, adaptor, gateway, other_gateway, make_customer, make_document
):
    """Neither locks the document: on PostgreSQL the second waits in the trigger, and must then see what the first wrote."""
    document = make_document(make_customer())
    older, newer = deliver(document, S.FAILED, gateway), deliver(document, S.FAILED, other_gateway)
    names, adaptor_id, wanted = (older.id, newer.id), adaptor.id, (S.SUPERSEDED, S.ACCEPTED)
    for _ in range(3):
        with unguarded():
            db.session.execute(update(Delivery).values(state=S.FAILED))
        db.session.commit()
        start = threading.Barrier(2)

        def move(name: str, state: DeliveryState, start: threading.Barrier = start) -> None:
            with app.app_context():
                start.wait()
                db.session.execute(update(Delivery).where(Delivery.id == name).values(state=state))
                db.session.commit()

        with ThreadPoolExecutor(2) as pool:
            for moved in [pool.submit(move, *pair) for pair in zip(names, wanted, strict=True)]:
                moved.result()
        require_what_the_rows_say(adaptor_id)


def test_a_delivery_that_waits_for_another_transaction_sees_what_it_wrote(
    app, adaptor, gateway, other_gateway, make_customer, make_document
):
    document = make_document(make_customer())
    older, newer = deliver(document, S.FAILED, gateway), deliver(document, S.FAILED, other_gateway)
    names, adaptor_id = (older.id, newer.id), adaptor.id
    began = threading.Event()

    def second() -> None:
        with app.app_context():
            began.set()
            db.session.execute(update(Delivery).where(Delivery.id == names[0]).values(state=S.CANCELLED))
            db.session.commit()

    db.session.commit()
    with ThreadPoolExecutor(1) as pool:
        db.session.execute(update(Delivery).where(Delivery.id == names[1]).values(state=S.ACCEPTED))
        waiting = pool.submit(second)
        began.wait()
        # The other is stopped by what this transaction holds; give it the time to get there.
        threading.Event().wait(0.3)
        db.session.commit()
        waiting.result()
    require_what_the_rows_say(adaptor_id)


def test_many_that_move_at_once_are_all_counted(app, adaptor, make_customer, make_document):
    customer = make_customer()
    ids = [make_document(customer, str(number), stage=Stage.LISTED).id for number in range(24)]
    adaptor_id = adaptor.id
    db.session.commit()

    def work(part: int) -> None:
        with app.app_context():
            for name in ids[part::3]:
                for stage in (Stage.QUEUED, Stage.UNUSABLE, Stage.HANDLED):
                    db.session.execute(update(Document).where(Document.id == name).values(stage=stage))
                    db.session.commit()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work, part) for part in range(3)]:
            done.result()
    assert listing.counts([adaptor_id])["handled"] == 24
    require_what_the_rows_say(adaptor_id)


def test_documents_of_another_adaptor_are_not_counted(adaptor, subscription, make_customer, make_document):
    other = Adaptor(id=new_id(), subscription_id=subscription.id, name="B", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    make_document(make_customer())
    assert listing.counts([adaptor.id])["total"] == 1 and listing.counts([other.id])["total"] == 0
    assert listing.counts([adaptor.id, other.id])["total"] == 1
