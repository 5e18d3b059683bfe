"""The timeline: one line for each thing that happened, written in the transaction in which it happened."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from invoiceapp.models import Delivery, Document, Event, Run, db


def record(
    kind: str, *, subscription_id: str, document_id: str | None = None, delivery_id: str | None = None,
    run_id: str | None = None, actor: str = "system", **data: Any,
) -> None:  # fmt: skip
    """Add a line; the caller's transaction commits it."""
    db.session.add(
        Event(
            subscription_id=subscription_id,
            document_id=document_id,
            delivery_id=delivery_id,
            run_id=run_id,
            actor=actor,
            kind=kind,
            data=data,
        )
    )


def of_document(kind: str, document: Document, *, actor: str = "system", **data: Any) -> None:
    """A line about a document."""
    record(
        kind,
        subscription_id=document.subscription_id,
        document_id=document.id,
        run_id=document.run_id,
        actor=actor,
        **data,
    )


def of_delivery(kind: str, delivery: Delivery, *, actor: str = "system", **data: Any) -> None:
    """A line about a delivery and its document."""
    record(
        kind,
        subscription_id=delivery.subscription_id,
        document_id=delivery.document_id,
        delivery_id=delivery.id,
        run_id=delivery.run_id,
        actor=actor,
        **data,
    )


_LINE = insert(db.metadata.tables["event"])


def of_move(kind: str, moved: Any, **data: Any) -> None:
    """The worker's own line about a delivery that it has just moved (``moves.move``).

    Each document has two, so that they go straight to the database.
    """
    db.session.execute(
        _LINE,
        {
            "subscription_id": moved.subscription_id, "document_id": moved.document_id, "delivery_id": moved.id,
            "run_id": moved.run_id, "kind": kind, "data": data,
        },
    )  # fmt: skip


def of_run(kind: str, run: Run, **data: Any) -> None:
    """A line about a run."""
    record(kind, subscription_id=run.subscription_id, run_id=run.id, actor=run.actor, **data)
