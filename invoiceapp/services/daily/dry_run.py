"""Trying a manual export: the verdict on each chosen document, by which format and gateway it would leave. Nothing is sent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Document, ExportRule, FoundDocument, FoundGroup, Gateway, PreflightResult, db
from invoiceapp.services import background
from invoiceapp.services.background import Progress
from invoiceapp.services.configuration import verdicts
from invoiceapp.services.configuration.verdicts import Batch
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import text_dict
from invoiceapp.services.export import elsewhere, reasons, selection

from .finding import Choice

#: Documents that one transaction notes.
CHUNK = 50
_NO_CUSTOMER = Text(
    "Kunden findes ikke blandt adaptorens kunder. Læs kunderne igen.",
    "The customer is not among the adaptor's customers. Read the customers again.",
)


def run(progress: Progress) -> bool:
    """One slice, the handler of ``DRY_RUN``; True while there is more."""
    until = time.monotonic() + background.SLICE
    while _step(progress):
        if time.monotonic() > until:
            return True
    return False


def _choice(progress: Progress) -> Choice:
    asked = progress.parameters
    return Choice(FoundGroup(asked["group"]), tuple(asked["ids"]), asked["everything"])


def _step(progress: Progress) -> bool:
    run_id, choice = progress.parameters["run"], _choice(progress)
    with transaction() as session:
        if progress.total is None:
            count = select(func.count()).select_from(FoundDocument).where(choice.condition(run_id))
            progress.total = session.scalar(count) or 0
        ids = session.scalars(
            select(FoundDocument.document_id)
            .where(choice.condition(run_id), FoundDocument.document_id > (progress.cursor or ""))
            .order_by(FoundDocument.document_id)
            .limit(CHUNK)
        ).all()
    if not ids:
        return False
    batch = verdicts.of_documents(progress.adaptor_id, ids)
    judged = verdicts.judge(batch)
    with transaction():
        # Where the settings have changed meanwhile, it is judged again.
        if verdicts.keep(batch, judged):
            _note(run_id, batch, ids)
            progress.step(len(ids), ids[-1])
    return True


def _note(run_id: str, batch: Batch, ids: Sequence[str]) -> None:
    """Copy the verdicts to what was found: a later check forgets those of old documents. In the caller's transaction."""
    results = {
        row.document_id: row
        for row in db.session.scalars(select(PreflightResult).where(PreflightResult.document_id.in_(ids)))
    }
    gateways, adaptor = _gateways(batch), db.session.get_one(Adaptor, batch.adaptor_id)
    documents = {row.id: row for row in db.session.scalars(select(Document).where(Document.id.in_(ids)))}
    rows = db.session.scalars(
        select(FoundDocument).where(FoundDocument.run_id == run_id, FoundDocument.document_id.in_(ids))
    )
    for row in rows:
        document = documents[row.document_id]
        row.verdict = _verdict(document, batch, results.get(document.id), gateways)
        holder = elsewhere.of_document(document, adaptor, adaptor.environment)
        if holder is not None and row.verdict["format"]:
            words = text_dict(reasons.number_taken(document.type, holder).text)
            row.verdict |= {"may_leave": False, "findings": [*row.verdict["findings"], words]}


def _verdict(
    document: Document, batch: Batch, result: PreflightResult | None, gateways: Mapping[str, str]
) -> dict[str, Any]:
    plan = batch.plans.get(document.customer_id or "")
    if plan is None:
        return {"may_leave": False, "format": None, "gateway": None, "findings": [text_dict(_NO_CUSTOMER)]}
    if result is None:
        why = [text_dict(selection.excluded(document.type).long)]
    else:
        why = [{"da": one["text"]["da"], "en": one["text"]["en"]} for one in result.findings]
    gateway = gateways.get(document.customer_id or "") or gateways.get("")
    return {"may_leave": not why, "format": plan.format_id, "gateway": gateway, "findings": why}


def _gateways(batch: Batch) -> dict[str, str]:
    """Names by customer; under "" the adaptor's own, which a customer without a rule would get."""
    rows = db.session.execute(
        select(ExportRule.customer_id, Gateway.name)
        .join(Gateway, Gateway.id == ExportRule.gateway_id)
        .where(ExportRule.customer_id.in_(list(batch.facts)))
    )
    default = db.session.scalar(
        select(Gateway.name)
        .join(Adaptor, Adaptor.default_gateway_id == Gateway.id)
        .where(Adaptor.id == batch.adaptor_id)
    )
    return dict(rows.all()) | ({"": default} if default else {})
