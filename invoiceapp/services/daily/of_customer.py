"""What waits of one customer: for its page, where most causes are mended."""

from __future__ import annotations

from sqlalchemy import select

from invoiceapp.models import Document, Problem, ProblemDocument, db
from invoiceapp.services.configuration import releasing


def waiting(customer_id: str) -> int:
    """How many documents are tried again when its settings are saved."""
    return releasing.waiting(Document.customer_id == customer_id)


def problem_id(customer_id: str) -> str | None:
    """The newest open problem that stops a document of it."""
    return db.session.scalar(
        select(Problem.id)
        .join(ProblemDocument, ProblemDocument.problem_id == Problem.id)
        .join(Document, Document.id == ProblemDocument.document_id)
        .where(Document.customer_id == customer_id, Problem.resolved_at.is_(None))
        .order_by(Problem.id.desc())
        .limit(1)
    )
