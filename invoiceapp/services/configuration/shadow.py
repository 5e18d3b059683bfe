"""A coming edition of the rules on documents that were already made: whose would be stopped, and why.

Nothing is stored and nothing is sent. The rules run in a process of their own,
so that the page's process neither grows nor dies by them.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select

from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import registry
from invoiceapp.formats.validation.validator import Validator
from invoiceapp.models import Document, Rendition, utcnow
from invoiceapp.processes import die_with_parent, end_pool
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import archive

from . import rulepacks

#: Documents that are read and judged at a time; few enough to hold in memory with their attachments.
_BATCH = 50
#: Seconds for everything, compiling included, where nobody says otherwise.
_DEADLINE = 300
#: Numbers that are named for each customer and rule.
_NAMED = 5

_one_at_a_time = threading.Lock()

#: A fatal finding: rule, Danish and English text.
Stop = tuple[str, str, str]
#: What goes to the judging process: bytes, format id, document type.
Job = tuple[bytes, str, str]


@dataclass
class Affected:
    """One customer's documents that a rule would stop."""

    customer: str
    documents: int = 0
    numbers: list[str] = field(default_factory=list)
    """The first few"""


@dataclass
class BrokenRule:
    """A rule of the coming edition that documents break."""

    rule: str
    text: Text
    documents: int = 0
    customers: dict[tuple[str, str], Affected] = field(default_factory=dict)


@dataclass
class Shadow:
    """What the coming edition would have done."""

    pack: str
    version: str
    days: int
    documents: int = 0
    stopped: int = 0
    stopped_already: int = 0
    """Left out: today's rules stop them too"""
    unreadable: int = 0
    """Left out: their bytes are not in the archive any more"""
    is_cut: bool = False
    """There were more documents than the limit"""
    rules: dict[str, BrokenRule] = field(default_factory=dict)
    customers: dict[tuple[str, str], str] = field(default_factory=dict)
    """Everybody with a document, by adaptor and id"""

    @property
    def passing(self) -> list[str]:
        """Names of the customers none of whose documents would be stopped."""
        failing = {customer for rule in self.rules.values() for customer in rule.customers}
        return sorted(name for customer, name in self.customers.items() if customer not in failing)

    @property
    def failing(self) -> list[str]:
        """Names of the customers with a document that would be stopped."""
        return sorted({item.customer for rule in self.rules.values() for item in rule.customers.values()})

    @property
    def broken(self) -> list[BrokenRule]:
        """The rules, the one that stops most documents first."""
        return sorted(self.rules.values(), key=lambda rule: (-rule.documents, rule.rule))

    def to_dict(self) -> dict[str, Any]:
        """JSON form; keys stay."""
        return {
            "pack": self.pack,
            "version": self.version,
            "days": self.days,
            "documents": self.documents,
            "stopped": self.stopped,
            "stoppedAlready": self.stopped_already,
            "unreadable": self.unreadable,
            "limited": self.is_cut,
            "rules": [
                {
                    "rule": rule.rule,
                    "text": {"da": rule.text.da, "en": rule.text.en},
                    "documents": rule.documents,
                    "customers": [
                        {"customer": item.customer, "documents": item.documents, "numbers": item.numbers}
                        for item in rule.customers.values()
                    ],
                }
                for rule in self.broken
            ],
            "passing": self.passing,
        }


@dataclass(frozen=True, slots=True)
class _Row:
    """A rendition with what is told about it."""

    id: str
    document_id: str
    format: str
    sha256: str
    findings: list[dict[str, Any]]
    type: str
    number: str
    adaptor: str
    customer_id: str
    customer_name: str

    @property
    def customer(self) -> tuple[str, str]:
        """Who it is for; ids of one source mean nothing in another."""
        return self.adaptor, self.customer_id

    @property
    def is_stopped(self) -> bool:
        """By rules that judge today. That rules were missing is no reason: the coming edition is one."""
        return any(item["severity"] == "fatal" and item["rule"] != "IA-RULES-MISSING" for item in self.findings)


def run(
    pack: str,
    version: str,
    days: int = 90,
    *,
    subscription_id: str | None = None,
    limit: int | None = None,
    seconds: float | None = None,
) -> Shadow:
    """Judge the newest rendition of each document of the last ``days`` by an edition, whatever its dates.

    All subscriptions unless one is named. Raises ``ServiceError`` for an edition
    that is not there, is damaged, brings the rule engine down or is not done
    within ``seconds``, and ``Conflict`` while another such look is being made.
    """
    if not rulepacks.edition(pack, version).is_usable():
        raise ServiceError(Text(f"{pack} {version} er beskadiget.", f"{pack} {version} is damaged."))
    if not _one_at_a_time.acquire(blocking=False):
        raise Conflict(
            Text(
                "En anden prøve er i gang på denne server; prøv igen om et minut.",
                "Another trial is running on this server; try again in a minute.",
            )
        )
    try:
        end = time.monotonic() + (_DEADLINE if seconds is None else seconds)
        return _run(Shadow(pack, version, days), subscription_id, limit, end)
    finally:
        _one_at_a_time.release()


def _run(shadow: Shadow, subscription_id: str | None, limit: int | None, end: float) -> Shadow:
    spawn = multiprocessing.get_context("spawn")
    judges = ProcessPoolExecutor(1, mp_context=spawn, initializer=die_with_parent)
    try:
        for rows in _batches(shadow, subscription_id, limit):
            _judge_batch(shadow, judges, rows, end)
    finally:
        end_pool(judges)
    return shadow


def _batches(shadow: Shadow, subscription_id: str | None, limit: int | None) -> Iterator[list[_Row]]:
    """Newest first, each document once in each format. No transaction is open while a batch is judged."""
    seen: set[tuple[str, str]] = set()
    last: str | None = None
    left = limit
    while rows := _page(shadow, subscription_id, last):
        last = rows[-1].id
        fresh = []
        for row in rows:
            if (row.document_id, row.format) in seen:
                continue
            seen.add((row.document_id, row.format))
            if left == 0:
                shadow.is_cut = True
                break
            left = left - 1 if left is not None else None
            fresh.append(row)
        if fresh:
            yield fresh
        if shadow.is_cut:
            return


def _page(shadow: Shadow, subscription_id: str | None, before: str | None) -> list[_Row]:
    query = (
        select(
            Rendition.id, Rendition.document_id, Rendition.format, Rendition.sha256, Rendition.findings, Document.type,
            Document.number, Document.adaptor_id, Document.customer_source_id, Document.customer_name,
        )
        .join(Document, Document.id == Rendition.document_id)
        .where(
            Rendition.format.in_(rulepacks.formats_of(shadow.pack)),
            Rendition.created_at >= utcnow() - timedelta(days=shadow.days),
        )
        .order_by(Rendition.id.desc())
        .limit(_BATCH)
    )  # fmt: skip
    if subscription_id:
        query = query.where(Rendition.subscription_id == subscription_id)
    if before:
        query = query.where(Rendition.id < before)
    with transaction() as session:
        return [_Row(*row) for row in session.execute(query)]


def _judge_batch(shadow: Shadow, judges: ProcessPoolExecutor, rows: list[_Row], end: float) -> None:
    jobs: list[tuple[_Row, Job]] = []
    for row in rows:
        if row.is_stopped:
            shadow.stopped_already += 1
            continue
        try:
            jobs.append((row, (archive.load(row.sha256), row.format, row.type)))
        except archive.ArchiveCorrupt:
            shadow.unreadable += 1
    if not jobs:
        return
    work = judges.submit(_judged, config().rules_dir, (shadow.pack, shadow.version), [job for _, job in jobs])
    try:
        answers = work.result(max(end - time.monotonic(), 0))
    except TimeoutError as error:
        raise ServiceError(
            Text(
                f"{shadow.pack} {shadow.version} blev ikke færdig med dokumenterne i tide. Prøv færre dage.",
                f"{shadow.pack} {shadow.version} was not done with the documents in time. Try fewer days.",
            )
        ) from error
    except (BrokenProcessPool, RuntimeError) as error:
        reason = str(error) or type(error).__name__
        raise ServiceError(
            Text(
                f"{shadow.pack} {shadow.version} kunne ikke bruges på dokumenterne: {reason}",
                f"{shadow.pack} {shadow.version} could not be used on the documents: {reason}",
            )
        ) from error
    for (row, _), stops in zip(jobs, answers, strict=True):
        _count(shadow, row, stops)


def _count(shadow: Shadow, row: _Row, stops: list[Stop]) -> None:
    shadow.documents += 1
    shadow.stopped += bool(stops)
    shadow.customers.setdefault(row.customer, row.customer_name)
    for rule, danish, english in stops:
        broken = shadow.rules.setdefault(rule, BrokenRule(rule, Text(danish, english)))
        broken.documents += 1
        affected = broken.customers.setdefault(row.customer, Affected(row.customer_name))
        affected.documents += 1
        if len(affected.numbers) < _NAMED:
            affected.numbers.append(row.number)


@cache
def _validator(rules_dir: Path, edition: tuple[str, str]) -> Validator:
    return Validator(rules_dir, pinned=edition)


def _judged(rules_dir: Path, edition: tuple[str, str], jobs: list[Job]) -> list[list[Stop]]:
    """In the judging process: what would stop each document."""
    validator = _validator(rules_dir, edition)
    answers = []
    for content, format_id, document_type in jobs:
        try:
            report = validator.validate(content, registry()[format_id], DocumentType(document_type))
        # The engine's own exceptions cannot travel between processes.
        except Exception as error:
            raise RuntimeError(" ".join(str(error).split())[:300]) from None
        # Two sheets may have a rule in common; the document breaks it once.
        stops = {item.rule: (item.rule, item.text.da, item.text.en) for item in report.findings if item.is_fatal}
        answers.append(list(stops.values()))
    return answers
