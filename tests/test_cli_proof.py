"""``flask proof verify``."""

from __future__ import annotations

import json
from datetime import date

import pytest
from sqlalchemy import text

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import MonthEndProof, ProofState, db, utcnow
from invoiceapp.services.export import archive
from invoiceapp.services.proof import signing
from invoiceapp.services.proof.canonical import canonical
from invoiceapp.services.proof.month_end import files, making, noting
from invoiceapp.services.proof.month_end.books import Books

DAYS = date(2026, 11, 1), date(2026, 11, 30)


@pytest.fixture
def run(app):
    return app.test_cli_runner().invoke


@pytest.fixture
def proof(app, adaptor, make_customer, make_document, make_delivery) -> str:
    """Of one document that only we have."""
    make_delivery(make_document(make_customer(), "1001"), DeliveryState.DELIVERED)
    noted = tuple(noting.of_period(adaptor.id, *DAYS, []))
    stored = canonical(Books(*DAYS, utcnow(), "Eksempel ApS", (), (), (), noted).to_json())
    result = making.result_of(stored)
    csv = files.csv_of(result, "da")
    row = MonthEndProof(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, first_day=DAYS[0], last_day=DAYS[1],
        made_by="ejer@example.com", state=ProofState.FINISHED, list_sha256=archive.store(stored),
        result_sha256=archive.store(canonical(result)), csv_sha256=archive.store(csv),
        signature_sha256=archive.store(signing.sign(csv)), pdf_sha256=archive.store(b"%PDF-1.7"), summary={},
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row.id


def test_it_says_the_same_by_id_and_by_file_and_refuses_another_file(run, proof, tmp_path):
    file = tmp_path / "proof.csv"
    file.write_bytes(archive.load(str(db.session.get_one(MonthEndProof, proof).csv_sha256)))
    for named in (proof, str(file)):
        result = run(args=["proof", "verify", named])
        assert (result.exit_code, "the same again" in result.output) == (0, True), result.output
    file.write_bytes(file.read_bytes() + b" ")
    refused = run(args=["proof", "verify", str(file)])
    assert (refused.exit_code, "the file was changed" in refused.output) == (1, True)


def test_what_was_deleted_since_is_told_with_its_row(run, proof):
    db.session.execute(text("DELETE FROM delivery"))
    db.session.commit()
    result = run(args=["proof", "verify", proof])
    assert result.exit_code == 3
    assert (
        "DIFFERS" in result.output and "1001: delivered -> unproved (format, group, real, transport)" in result.output
    )
    found = json.loads(run(args=["proof", "verify", proof, "--json"]).output)
    assert (found[0]["ok"], found[0]["rows"][0]["after"]["group"]) == (False, "unproved")
