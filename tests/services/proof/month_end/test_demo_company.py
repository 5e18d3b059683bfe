"""The books of the demo company, read over HTTP: they add up to the øre, and a deleted delivery is found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Document, MonthEndProof, ProofState, Stage, db
from invoiceapp.services import background
from invoiceapp.services.export import runs
from invoiceapp.services.proof.month_end import making, paper, queries, verifying

pytestmark = pytest.mark.server
#: All documents of the stand-in's little company.
FIRST, LAST = date(2026, 1, 1), date(2026, 11, 22)


@pytest.fixture
def prove(connected: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], MonthEndProof]:
    monkeypatch.setattr(making, "SETTLE", timedelta(0))
    monkeypatch.setattr(paper, "draw", lambda *_: b"%PDF")
    monkeypatch.setattr(making.signing, "sign_pdf", lambda pdf, reason: pdf)

    def make() -> MonthEndProof:
        proof_id = making.ask(connected, FIRST, LAST, actor="ejer@example.com", language="da")
        job_id = str(db.session.get_one(MonthEndProof, proof_id).job_id)
        while background.execute(job_id, {making.KIND: making.run}):
            pass
        return db.session.get_one(MonthEndProof, proof_id, populate_existing=True)

    return make


def test_it_adds_up_to_the_oere_and_a_deleted_delivery_is_found(connected, company, billy, prove, make_delivery):
    run_id = runs.start_reading(connected.id, "ejer@example.com").id
    while runs.execute(run_id):
        pass
    documents = db.session.query(Document).order_by(Document.source_id).all()
    for document in documents[::2]:
        document.stage = Stage.CONVERTED
        make_delivery(document, DeliveryState.DELIVERED)
    proof = prove()
    assert proof.state is ProofState.FINISHED
    result = queries.result(proof)
    expected: dict[str, Decimal] = defaultdict(Decimal)
    served = {one.source_id for one in documents}
    counted = 0
    for one in company.tables["invoices"].values():
        if (
            one["id"] in served
            and one["state"] == "approved"
            and FIRST.isoformat() <= one["entryDate"] <= LAST.isoformat()
        ):
            counted += 1
            expected[one["currencyId"]] += (-1 if one["type"] == "creditNote" else 1) * (one["amount"] + one["tax"])
    assert counted > 40 and result["documents"] - counted == sum(
        group["documents"] for group in result["groups"] if group["group"] == "unreadable"
    )
    assert {currency: Decimal(one["gross"]) for currency, one in result["totals"].items()} == expected
    arrived = next(group for group in result["groups"] if group["group"] == "delivered")
    assert arrived["documents"] > 20 and result["sent"]["difference"]["DKK"]["gross"] == "0"
    assert verifying.again(proof).holds
    gone = next(row for row in result["rows"] if row["group"] == "delivered")
    db.session.execute(text("DELETE FROM delivery WHERE id = :id"), {"id": gone["delivery_id"]})
    db.session.commit()
    assert [one.number for one in verifying.again(proof).rows] == [gone["number"]]
    rows = queries.result(prove())["rows"]
    assert [row["number"] for row in rows if row["group"] == "unproved"] == [gone["number"]]
