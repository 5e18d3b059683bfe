"""Month-end proofs are kept as long as the documents that they are about."""

from __future__ import annotations

from sqlalchemy import delete, exists, select

from invoiceapp.models import Document, MonthEndProof, db
from invoiceapp.services.database import transaction
from invoiceapp.services.export.validators import today

from . import discarding, holds, terms

_FILES = (
    MonthEndProof.list_sha256, MonthEndProof.result_sha256, MonthEndProof.csv_sha256, MonthEndProof.signature_sha256,
    MonthEndProof.pdf_sha256,
)  # fmt: skip


def delete_old(subscription_id: str) -> int:
    """Delete the proofs of periods whose documents were due and are all gone; how many."""
    with transaction() as session:
        if holds.keeps_all(subscription_id, today()):
            return 0
        until = terms.of(subscription_id).last_day_due(today())
        is_there = exists().where(
            Document.adaptor_id == MonthEndProof.adaptor_id,
            Document.issue_date.between(MonthEndProof.first_day, MonthEndProof.last_day),
        )
        rows = session.execute(
            select(MonthEndProof.id, *_FILES).where(
                MonthEndProof.subscription_id == subscription_id, MonthEndProof.last_day <= until, ~is_there
            )
        ).all()
        names = {name for _id, *files in rows for name in files if name}
        if names:
            discarding.note(names)
        db.session.execute(delete(MonthEndProof).where(MonthEndProof.id.in_([row.id for row in rows])))
    return len(rows)
