"""Everybody locks documents in the order of their ids: two who do otherwise wait for each other for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.gateways.base import Incoming, Verdict
from invoiceapp.models import Delivery, IncomingMessage, IncomingState, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery import moves
from invoiceapp.services.export import found, resending
from invoiceapp.services.receipts import applying, matching, storing
from invoiceapp.services.receipts.reading import Said

S = DeliveryState
_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


@pytest.fixture
def crosswise(gateway, make_customer, make_document, make_delivery) -> Callable[[S], list[Delivery]]:
    """``crosswise(state)``: two deliveries in the order of their ids, whose documents' ids are the other way round."""
    if db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one write lock for all")

    def make(state: S) -> list[Delivery]:
        customer = make_customer()
        documents = [make_document(customer, number) for number in "12"]
        made = [make_delivery(one, state, finished_at=utcnow(), next_at=None) for one in reversed(documents)]
        assert made[0].id < made[1].id and made[0].document_id > made[1].document_id
        return made

    return make


@pytest.fixture
def beside_a_lister(app, monkeypatch) -> Callable[..., Any]:
    """``beside_a_lister(work, ids)``: its answer; after its first move somebody else locks all documents, in order."""

    def do(work: Callable[[], Any], ids: list[str]) -> Any:
        moved, real = threading.Event(), moves.move

        def move(*arguments: Any, **values: Any) -> None:
            real(*arguments, **values)
            moved.set()
            with db.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                # Ends when the other waits, or is through.
                while not (lister.done() or connection.scalar(_WAITING)):
                    time.sleep(0.01)

        for module in (resending, applying):
            monkeypatch.setattr(module, "move", move)

        def lock_all() -> None:
            moved.wait(30)
            with app.app_context(), transaction():
                found.current(ids, locked=True)

        with ThreadPoolExecutor(1) as pool:
            lister = pool.submit(lock_all)
            try:
                return work()
            finally:
                moved.set()
                lister.result(30)

    return do


def test_sending_again_what_failed_at_a_gateway_waits_for_nobody_who_waits_for_it(crosswise, gateway, beside_a_lister):
    failed, gateway_id = crosswise(S.FAILED), gateway.id
    ids, since = [one.document_id for one in failed], utcnow() - timedelta(days=1)
    db.session.commit()
    assert beside_a_lister(lambda: resending.resend(gateway_id, since, "ida"), ids) == 2


def test_a_message_about_several_documents_waits_for_nobody_who_waits_for_it(
    crosswise, gateway, beside_a_lister, monkeypatch
):
    accepted = crosswise(S.ACCEPTED)
    ids = [one.document_id for one in accepted]
    said = [Said(one.id, "aperk", "17", Verdict.ACKNOWLEDGED) for one in accepted]
    monkeypatch.setattr(matching, "said_by", lambda *_: said)
    message_id = storing.keep(gateway, Incoming("svar.edi", b"x", {})).id
    db.session.commit()
    assert beside_a_lister(lambda: matching.match(message_id), ids) is IncomingState.MATCHED
    assert db.session.get_one(IncomingMessage, message_id, populate_existing=True).matched_at
