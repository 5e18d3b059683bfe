"""Verdicts of a pre-flight: which documents need one, what it is, and what follows for their customers.

Whoever writes verdicts holds the adaptor's row and compares the facts again
first: what was judged by settings that were changed meanwhile is never kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from sqlalchemy import Select, and_, delete, func, or_, select, update

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Adaptor, Customer, Document, ExportRule, PreflightResult, Readiness, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.sources.base import Source

from . import judging
from .judging import Facts, Plan, Verdict
from .sources import source_class

log = logging.getLogger(__name__)

#: Documents of one batch, each of which is committed together.
_DOCUMENTS = 100
#: Documents whose records are in memory at once.
_RECORDS = 10
#: Problems that a customer keeps, and documents that each of them names.
_MOST_PROBLEMS, _MOST_EXAMPLES = 20, 5


# --- which -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Work:
    """What is known of a document without its records."""

    id: str
    customer_id: str
    bundle_sha256: str
    type: DocumentType
    known: str | None
    """The fingerprint of the verdict that there is"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some customers and the documents of theirs that are looked at together."""

    adaptor_id: str
    subscription_id: str
    source: type[Source]
    since: date
    facts: Mapping[str, Facts]
    plans: Mapping[str, Plan]
    """By customer, as the facts"""
    documents: Sequence[Work]
    whole: Sequence[str]
    """Customers that this batch brings to their end"""
    is_everything: bool = True
    """Whether no document of theirs is left out"""

    @property
    def to_judge(self) -> list[Work]:
        """Documents whose verdict is missing or out of date."""
        return [
            document
            for document in self.documents
            if (plan := self.plans[document.customer_id]).includes(document.type)
            and document.known != plan.fingerprint(document.bundle_sha256)
        ]

    @property
    def size(self) -> int:
        """What it adds to the progress."""
        return len(self.documents) + len(self.whole)

    @property
    def after(self) -> str:
        """The document after which a customer goes on that is too large for one batch."""
        return "" if self.whole else self.documents[-1].id

    @property
    def cursor(self) -> str:
        """``<customer>``, or ``<customer>/<document>`` in the middle of one."""
        return self.whole[-1] if self.whole else f"{self.documents[-1].customer_id}/{self.documents[-1].id}"


def of_adaptor(query: Select[Any], adaptor_id: str) -> Select[Any]:
    """A query for customers, narrowed to those that are judged: archived ones only while they are activated."""
    return query.outerjoin(ExportRule, ExportRule.customer_id == Customer.id).where(
        Customer.adaptor_id == adaptor_id, or_(Customer.is_archived.is_(False), ExportRule.active)
    )


def _facts_of(adaptor: Adaptor, customer_ids: Sequence[str]) -> dict[str, Facts]:
    rows = db.session.execute(
        select(
            Customer.id, Customer.name, Customer.country, Customer.gln, Customer.registration_no,
            ExportRule.format, ExportRule.settings,
        )
        .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
        .where(Customer.id.in_(customer_ids))
        # In the order in which the job walks, or its cursor would step back over customers that it has done.
        .order_by(Customer.id)
    )  # fmt: skip
    return {
        row.id: Facts(
            row.id, row.name, row.country, row.gln, row.registration_no, row.format, adaptor.default_format,
            adaptor.settings, row.settings or {},
        )
        for row in rows
    }  # fmt: skip


def _documents(query: Any) -> list[Work]:
    """Documents that ``query`` (conditions and order) finds, with the fingerprints of their verdicts."""
    return [
        Work(row.id, row.customer_id, row.bundle_sha256, row.type, row.fingerprint) for row in db.session.execute(query)
    ]


def _query(*conditions: Any) -> Select[Any]:
    columns: Any = (Document.id, Document.customer_id, Document.bundle_sha256, Document.type)
    found: Select[Any] = select(*columns, PreflightResult.fingerprint)
    return found.outerjoin(PreflightResult, PreflightResult.document_id == Document.id).where(*conditions)


def _batch(
    adaptor: Adaptor, since: date, customer_ids: Sequence[str], documents: Sequence[Work], *, is_end: bool,
    is_everything: bool = True,
) -> Batch:  # fmt: skip
    facts = _facts_of(adaptor, customer_ids)
    plans = {customer_id: judging.plan_of(one) for customer_id, one in facts.items()}
    return Batch(
        adaptor.id, adaptor.subscription_id, source_class(adaptor), since, facts, plans, documents,
        list(facts) if is_end else (), is_everything,
    )  # fmt: skip


def next_batch(adaptor_id: str, customer_ids: Sequence[str], since: date, after: str) -> Batch:
    """As many of these customers as have few documents together, or the next documents of the first one.

    ``after``: the document of the first customer that was judged last.
    """
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, populate_existing=True)
        wanted = [Document.issue_date >= since, or_(Document.customer_id != customer_ids[0], Document.id > after)]
        counts = dict(
            session.execute(
                select(Document.customer_id, func.count())
                .where(Document.customer_id.in_(customer_ids), *wanted)
                .group_by(Document.customer_id)
            ).all()
        )
        chosen = _first_few(customer_ids, counts)
        query = _query(Document.customer_id.in_(chosen), *wanted).order_by(Document.customer_id, Document.id)
        return _batch(
            adaptor, since, chosen, _documents(query.limit(_DOCUMENTS)),
            is_end=counts.get(chosen[0], 0) <= _DOCUMENTS,
        )  # fmt: skip


def _first_few(customer_ids: Sequence[str], counts: Mapping[str | None, int]) -> list[str]:
    chosen, documents = [customer_ids[0]], counts.get(customer_ids[0], 0)
    for customer_id in customer_ids[1:]:
        documents += counts.get(customer_id, 0)
        if documents > _DOCUMENTS:
            break
        chosen.append(customer_id)
    return chosen


def newest_of(customer_id: str, since: date, limit: int) -> Batch | None:
    """One customer with its newest documents; None where there is no such customer."""
    with transaction() as session:
        customer = session.get(Customer, customer_id, populate_existing=True)
        if customer is None:
            return None
        adaptor = session.get_one(Adaptor, customer.adaptor_id, populate_existing=True)
        query = _query(Document.customer_id == customer_id, Document.issue_date >= since)
        found = _documents(query.order_by(Document.issue_date.desc(), Document.id.desc()).limit(limit + 1))
        is_everything = len(found) <= limit
        return _batch(adaptor, since, [customer_id], found[:limit], is_end=True, is_everything=is_everything)


def of_documents(adaptor_id: str, document_ids: Sequence[str]) -> Batch:
    """Chosen documents, whatever their age; those without a customer are left out, and no customer is brought to its end."""
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, populate_existing=True)
        wanted = (Document.adaptor_id == adaptor_id, Document.id.in_(document_ids), Document.customer_id.is_not(None))
        documents = _documents(_query(*wanted).order_by(Document.id))
        return _batch(adaptor, date.min, sorted({one.customer_id for one in documents}), documents, is_end=False)


# --- what ------------------------------------------------------------------------------------------------------------


def judge(batch: Batch, until: float | None = None) -> dict[str, Verdict]:
    """Verdicts by document, of those that need one; ``until`` is when to give up, by the monotonic clock.

    No transaction is open meanwhile.
    """
    found: dict[str, Verdict] = {}
    waiting = iter(batch.to_judge)
    while chunk := list(islice(waiting, _RECORDS)):
        bundles = bundles_of([document.id for document in chunk])
        for document in chunk:
            if until is not None and time.monotonic() > until:
                return found
            bundle, plan = bundles.pop(document.id, None), batch.plans[document.customer_id]
            found[document.id] = judging.failed() if bundle is None else judging.judge(batch.source, plan, bundle)
    return found


def bundles_of(document_ids: Sequence[str]) -> dict[str, Any]:
    """The records of documents; those that cannot be read from the database are not in it."""
    try:
        with transaction() as session:
            query = select(Document.id, Document.bundle).where(Document.id.in_(document_ids))
            return {row.id: row.bundle for row in session.execute(query)}
    except (ValueError, ArithmeticError, RecursionError):
        # Not the JSON that we once wrote.
        if len(document_ids) > 1:
            return {key: bundle for one in document_ids for key, bundle in bundles_of([one]).items()}
        log.warning("the records of document %s cannot be read", document_ids[0])
        return {}


# --- and then --------------------------------------------------------------------------------------------------------


def lock(adaptor_id: str) -> None:
    """One writer of verdicts at a time; the reading of customers holds the same row. In the caller's transaction."""
    db.session.execute(select(Adaptor.id).where(Adaptor.id == adaptor_id).with_for_update(key_share=True))


def keep(batch: Batch, judged: Mapping[str, Verdict]) -> bool:
    """Store verdicts and what follows for the customers. In the caller's transaction.

    False, and nothing stored, where the facts have changed meanwhile.
    """
    lock(batch.adaptor_id)
    adaptor = db.session.get_one(Adaptor, batch.adaptor_id, populate_existing=True)
    if _facts_of(adaptor, list(batch.facts)) != batch.facts:
        return False
    _store(batch, judged)
    _forget(batch)
    if batch.whole:
        _conclude(batch)
    return True


def _store(batch: Batch, judged: Mapping[str, Verdict]) -> None:
    known = {
        row.document_id: row
        for row in db.session.scalars(select(PreflightResult).where(PreflightResult.document_id.in_(list(judged))))
    }
    for document in batch.documents:
        verdict, plan = judged.get(document.id), batch.plans[document.customer_id]
        if verdict is None:
            continue
        row = known.get(document.id) or PreflightResult(document_id=document.id)
        row.subscription_id, row.adaptor_id = batch.subscription_id, batch.adaptor_id
        row.customer_id, row.format = document.customer_id, plan.format_id
        row.fingerprint = plan.fingerprint(document.bundle_sha256) if verdict.is_lasting else ""
        row.may_leave = not verdict.findings
        row.findings = [finding.to_dict() for finding in verdict.findings]
        row.checked_at = utcnow()
        db.session.add(row)
    db.session.flush()


def _forget(batch: Batch) -> None:
    """Drop verdicts on documents that are too old, have another customer now, or are of a type that is not exported."""
    current = select(Document.id).where(Document.customer_id.in_(batch.whole), Document.issue_date >= batch.since)
    left_out = [one.id for one in batch.documents if one.known and not batch.plans[one.customer_id].includes(one.type)]
    db.session.execute(
        delete(PreflightResult)
        .where(
            or_(
                and_(PreflightResult.customer_id.in_(batch.whole), PreflightResult.document_id.not_in(current)),
                PreflightResult.document_id.in_(left_out),
            ),
            PreflightResult.adaptor_id == batch.adaptor_id,
        )
        .execution_options(synchronize_session=False)
    )


def _conclude(batch: Batch) -> None:
    """Readiness and problems of the customers whose documents are all judged."""
    stopped: dict[str, list[Any]] = {}
    rows = db.session.execute(
        select(
            PreflightResult.customer_id, PreflightResult.may_leave, PreflightResult.fingerprint, PreflightResult.findings,
            Document.id, Document.number, Document.bundle_sha256, Document.type,
        )
        .join(Document, Document.id == PreflightResult.document_id)
        .where(PreflightResult.customer_id.in_(batch.whole), PreflightResult.adaptor_id == batch.adaptor_id)
        .order_by(Document.issue_date.desc(), Document.id.desc())
        .execution_options(yield_per=500)
    )  # fmt: skip
    for row in rows:
        plan = batch.plans[row.customer_id]
        # Verdicts by earlier settings, which the job has not reached yet, say nothing of today.
        if plan.includes(row.type) and row.fingerprint in ("", plan.fingerprint(row.bundle_sha256)):
            stopped.setdefault(row.customer_id, []).extend([] if row.may_leave else [row])
    found = {customer_id: problems_of(documents) for customer_id, documents in stopped.items()}
    for customer_id in batch.whole:
        if customer_id not in found:
            verdict = judging.judge_address(batch.plans[customer_id], batch.facts[customer_id])
            found[customer_id] = [_problem(finding) for finding in verdict.findings]
    _note(found)


def _note(found: Mapping[str, list[dict[str, Any]]]) -> None:
    """Write down what differs: most checks change little."""
    stored = db.session.execute(
        select(Customer.id, Customer.readiness, Customer.problems).where(Customer.id.in_(list(found)))
    )
    changed = []
    for row in stored:
        problems = found[row.id][:_MOST_PROBLEMS]
        readiness = Readiness.NEEDS if problems else Readiness.READY
        if (readiness, problems) != (row.readiness, row.problems):
            changed.append({"id": row.id, "readiness": readiness, "problems": problems})
    if changed:
        db.session.execute(update(Customer), changed)


def _problem(finding: Finding) -> dict[str, Any]:
    """A problem that no document has shown yet."""
    text = {"da": finding.text.da, "en": finding.text.en}
    return {
        "rule": finding.rule, "text": text, "turn": finding.turn.value, "fix": finding.fix, "documents": 0, "examples": [],
    }  # fmt: skip


def problems_of(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """The causes in stopped documents (newest first), those of most documents first; see ``Customer.problems``.

    Beside the promised keys each has ``examples``: ``[{"id", "number"}]`` of its newest documents.
    """
    grouped: dict[tuple[str | None, ...], dict[str, Any]] = {}
    for row in rows:
        for key, finding in _causes(row.findings).items():
            problem = grouped.setdefault(key, _problem(finding))
            problem["documents"] += 1
            if len(problem["examples"]) < _MOST_EXAMPLES:
                problem["examples"].append({"id": row.id, "number": row.number})
    return sorted(grouped.values(), key=lambda problem: -problem["documents"])


def _causes(findings: Iterable[dict[str, Any]]) -> dict[tuple[str | None, ...], Finding]:
    """One document's findings, each cause once: rule and field, whatever line or amount the text names."""
    found: dict[tuple[str | None, ...], Finding] = {}
    for stored in findings:
        finding = Finding.from_dict(stored)
        # What cannot become an invoice at all is told apart by its words only.
        wording = finding.text.en if finding.rule == judging.UNUSABLE else None
        found.setdefault((finding.rule, finding.fix, wording), finding)
    return found
