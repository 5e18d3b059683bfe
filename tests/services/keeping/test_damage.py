"""Who is told of damaged files: those whose documents, messages, look-ups and proofs name them, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from invoiceapp.models import (
    Adaptor,
    Damage,
    DamagedFile,
    Document,
    IncomingMessage,
    IncomingState,
    MonthEndProof,
    Rendition,
    Subscription,
    db,
    utcnow,
)
from invoiceapp.models.reach import Lookup
from invoiceapp.services.keeping import damage, named

SHA = "ab" * 32
FOUND = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


@pytest.fixture
def naming(ready, adaptor, gateway, subscription) -> Callable[..., None]:
    """``naming(table, column, sha256)``: a row of the usual tenant that names a file there."""
    ours = {"subscription_id": subscription.id}

    def proof() -> MonthEndProof:
        day = date(2026, 10, 1)
        return MonthEndProof(**ours, adaptor_id=adaptor.id, first_day=day, last_day=day, made_by="x")

    def document() -> Document:
        return db.session.get_one(Document, ready("1001").document_id)

    rows: dict[str, Callable[[], Any]] = {
        "document": document,
        "rendition": lambda: db.session.query(Rendition).filter_by(document_id=document().id).one(),
        "incoming_message": lambda: IncomingMessage(
            **ours, gateway_id=gateway.id, size=1, name="a", state=IncomingState.MATCHED, outcome=[]
        ),
        "lookup": lambda: Lookup(**ours, register="smp", question="0088:1", outcome="registered"),
        "month_end_proof": proof,
    }

    def make(table: str, column: str, sha256: str = SHA) -> None:
        row = rows[table]()
        if (table, column) in named.WITHIN:
            setattr(row, column, [{"asked": "https://smp", "sha256": None}, {"asked": "https://smp", "sha256": sha256}])
        else:
            setattr(row, column, sha256)
        db.session.add(row)
        db.session.commit()

    return make


@pytest.fixture
def other(app) -> Adaptor:
    """Of another tenant."""
    subscription = Subscription(name="Anden ApS")
    db.session.add(subscription)
    db.session.flush()
    row = Adaptor(subscription_id=subscription.id, name="Billy", source_kind="billy", settings={})
    db.session.add(row)
    db.session.commit()
    return row


def break_it(sha256: str = SHA, kind: Damage = Damage.MISSING, found_at: datetime | None = None) -> None:
    db.session.add(DamagedFile(sha256=sha256, damage=kind, found_at=found_at or utcnow()))
    db.session.commit()


@pytest.mark.parametrize(("table", "column"), [*named.COLUMNS, *named.WITHIN])
def test_whoever_names_a_damaged_file_is_told_of_it(naming, adaptor, other, table, column):
    naming(table, column)
    assert damage.of_adaptors([adaptor.id]) is None
    break_it(found_at=FOUND)
    hurt = damage.of_adaptors([adaptor.id])
    assert hurt.text.da.startswith("1 ") and "har filer i arkivet, som mangler eller er ændret" in hurt.text.da
    assert hurt.since == FOUND
    assert damage.of_adaptors([other.id]) is None


def test_no_column_is_named_twice():
    assert len({*named.COLUMNS, *named.WITHIN}) == len([*named.COLUMNS, *named.WITHIN])


def test_documents_come_first_with_their_numbers_then_the_rest(naming, adaptor):
    for table, column in (("document", "pdf_sha256"), ("incoming_message", "sha256"), ("lookup", "exchanges")):
        naming(table, column)
    naming("incoming_message", "sha256", "cd" * 32)
    break_it()
    break_it("cd" * 32)
    text = damage.of_adaptors([adaptor.id]).text
    assert text.da == (
        "1 dokument har filer i arkivet, som mangler eller er ændret: 1001. Det gælder også 2 modtagne meddelelser og 1 opslag."
    )
    assert text.en == (
        "1 document has files in the archive that are missing or changed: 1001. "
        "The same goes for 2 received messages and 1 look-up."
    )


def test_a_damage_of_another_tenant_changes_no_advice(naming, adaptor):
    naming("month_end_proof", "pdf_sha256")
    break_it(kind=Damage.LOCKED)
    break_it("cd" * 32, Damage.MISSING)
    hurt = damage.of_adaptors([adaptor.id])
    assert hurt.text.da == "1 månedsbevis har filer i arkivet, som ikke kan låses op." and "nøgle" in hurt.advice.da
