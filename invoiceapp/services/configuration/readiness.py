"""The readiness board: what would go and what would stop if the customers were switched on today, grouped by cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Float, cast, exists, func, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, Document, ExportRule, Job, JobState, PreflightResult, Readiness, db
from invoiceapp.services import background

from .judging import UNUSABLE
from .preflight import KIND
from .settings import FORMATS

#: Causes that the board shows.
MOST_CAUSES = 200
#: Customers that a cause names.
MOST_CUSTOMERS = 20
#: What only one customer's data or settings can mend, as on the dashboard (``services/daily/causes.py``).
_OF_A_CUSTOMER = ("customer.", FORMATS, "source.contact")
#: What is mended in the documents themselves.
_OF_A_DOCUMENT = ("source.invoice", "source.product")


@dataclass(frozen=True, slots=True)
class Topic:
    """A cause that several rules tell of, in the words of an accountant; one rule for each format that minds."""

    name: str
    text: Text
    rules: frozenset[str]


TOPICS = (
    Topic(
        "address",
        Text("Kunden mangler EAN- eller CVR-nummer", "The customer has no EAN or CVR number"),
        frozenset({"PEPPOL-EN16931-R010", "F-INV044", "F-CRN040", "EDI-RECEIVER-GLN"}),
    ),
    Topic(
        "number",
        Text("Kundens EAN- eller CVR-nummer er forkert", "The customer's EAN or CVR number is wrong"),
        frozenset({"PEPPOL-COMMON-R040", "PEPPOL-COMMON-R042", "F-LIB180", "F-LIB181", "F-LIB216"}),
    ),
    Topic("country", Text("Kunden mangler land", "The customer has no country"), frozenset({"BR-11"})),
    Topic(
        "vat",
        Text("En momssats mangler momskategori", "A VAT rate has no VAT category"),
        frozenset({"IA-VAT-UNMAPPED"}),
    ),
    Topic(
        "reference",
        Text(
            "Ordrenummer eller personreference mangler, og modtageren kræver det",
            "The order number or buyer reference is missing, and the receiver demands one",
        ),
        frozenset({"PEPPOL-EN16931-R003", "F-INV046"}),
    ),
    Topic(
        "order",
        Text(
            "Kunden kræver et ordrenummer, og fakturaen har intet",
            "The customer demands an order number, and there is none",
        ),
        frozenset({"IA-ORDER-NUMBER"}),
    ),
    Topic(
        "format",
        Text(
            "Kundens nummer kan ikke bruges i det valgte format",
            "The customer's number cannot be used in the chosen format",
        ),
        frozenset({"F-LIB179"}),
    ),
)
_TOPIC_OF = {rule: topic for topic in TOPICS for rule in topic.rules}


def short_text(rule: str) -> Text | None:
    """What a rule comes down to in one line, for lists; None where only its own words say it."""
    topic = _TOPIC_OF.get(rule)
    return topic.text if topic else None


@dataclass(frozen=True, slots=True)
class Filter:
    """What the board shows; comes from the URL."""

    turn: str = ""
    """``source``, ``here``, ``receiver``, ``operator``; "" for all"""
    activated: str = ""
    """``active``, ``inactive``; "" for all"""


@dataclass(frozen=True, slots=True)
class Affected:
    """One customer of a cause."""

    customer_id: str
    name: str
    text: Text
    fix: str | None
    documents: int
    """0 where it has none, and its address lacks something"""
    examples: tuple[tuple[str, str], ...]
    """Id and number of its newest documents"""


@dataclass(slots=True)
class Cause:
    """One thing to mend, over all customers."""

    topic: str
    """Of ``TOPICS``, "" for others"""
    rule: str
    text: Text
    turn: str
    fix: str | None
    documents: int = 0
    customers: list[Affected] = field(default_factory=list)
    """All of them, those of most documents first"""

    @property
    def shown(self) -> list[Affected]:
        """The first few."""
        return self.customers[:MOST_CUSTOMERS]

    @property
    def is_of_customer(self) -> bool:
        """Whether each of its customers is mended by itself."""
        return (self.fix or "").startswith(_OF_A_CUSTOMER)

    @property
    def is_common(self) -> bool:
        """Whether it is mended once for all its customers."""
        return bool(self.fix) and not self.is_of_customer and self.fix not in _OF_A_DOCUMENT


@dataclass(frozen=True, slots=True)
class Volume:
    """Amounts without VAT in one currency."""

    currency: str
    go: Decimal
    stop: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """Documents and customers of the adaptor, whatever the filter."""

    go: int
    stop: int
    volumes: tuple[Volume, ...]
    customers: int
    """Judged ones"""
    ready: int
    ready_to_activate: int
    """Ready customers that are not activated"""
    needing: int


@dataclass(frozen=True, slots=True)
class Board:
    """Totals, and the causes that match the filter."""

    totals: Totals
    causes: list[Cause] = field(default_factory=list)
    left_out: int = 0
    """Causes beyond ``MOST_CAUSES``"""
    by_topic: dict[str, int] = field(default_factory=dict)
    """Documents by the name of the topic, whatever the filter; "" for all other causes"""


def board_so_far(adaptor_id: str) -> Board:
    """Only what the database counts, for a page that asks every two seconds while a check is going on."""
    return Board(totals(adaptor_id))


def board(adaptor_id: str, wanted: Filter) -> Board:
    """Everything that the page shows; reads the problems of all customers."""
    rows = db.session.execute(
        select(Customer.id, Customer.name, Customer.problems, ExportRule.active)
        .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
        .where(Customer.adaptor_id == adaptor_id, Customer.readiness == Readiness.NEEDS)
        .order_by(Customer.name, Customer.id)
    ).all()
    by_topic: dict[str, int] = {}
    for row in rows:
        for problem in row.problems:
            name = _topic_name(problem["rule"])
            by_topic[name] = by_topic.get(name, 0) + problem["documents"]
    causes = _causes(row for row in rows if _is_wanted(bool(row.active), wanted.activated))
    found = [cause for cause in causes if wanted.turn in ("", cause.turn)]
    return Board(totals(adaptor_id), found[:MOST_CAUSES], max(len(found) - MOST_CAUSES, 0), by_topic)


def _is_wanted(is_active: bool, activated: str) -> bool:
    return activated not in ("active", "inactive") or is_active == (activated == "active")


def _topic_name(rule: str) -> str:
    return _TOPIC_OF[rule].name if rule in _TOPIC_OF else ""


def _causes(rows: Iterable[Any]) -> list[Cause]:
    """Problems of customers by cause; those of most documents first, then those of most customers."""
    found: dict[tuple[str | None, ...], Cause] = {}
    for row in rows:
        for problem in row.problems:
            text = Text(problem["text"]["da"], problem["text"]["en"])
            cause = found.setdefault(_key(problem, text), _cause(problem, text))
            cause.documents += problem["documents"]
            examples = tuple((one["id"], one["number"]) for one in problem.get("examples", ()))
            cause.customers.append(Affected(row.id, row.name, text, problem["fix"], problem["documents"], examples))
    for cause in found.values():
        cause.customers.sort(key=lambda one: -one.documents)
        if not cause.topic:
            # The words of the customer that it matters most for; others may have other lines and amounts.
            cause.text = cause.customers[0].text
    return sorted(found.values(), key=lambda cause: (-cause.documents, -len(cause.customers), cause.rule))


def _key(problem: dict[str, Any], text: Text) -> tuple[str | None, ...]:
    topic = _topic_name(problem["rule"])
    if topic:
        return (topic,)
    return problem["rule"], problem["fix"], text.en if problem["rule"] == UNUSABLE else None


def _cause(problem: dict[str, Any], text: Text) -> Cause:
    topic = _TOPIC_OF.get(problem["rule"])
    return Cause(
        topic.name if topic else "", problem["rule"], topic.text if topic else text, problem["turn"], problem["fix"]
    )


def lacks_gateway(adaptor: Adaptor) -> bool:
    """Whether nothing of the adaptor's could leave: it has no default gateway, and no customer has one."""
    if adaptor.default_gateway_id:
        return False
    return not db.session.scalar(select(exists().where(ExportRule.adaptor_id == adaptor.id)))


def totals(adaptor_id: str) -> Totals:
    """Counts and amounts by verdict, in two questions to the database."""
    # In hundredths: SQLite keeps amounts as text and would add them up as binary fractions.
    hundredths = func.sum(cast(func.round(cast(Document.net, Float) * 100), BigInteger))
    verdicts = db.session.execute(
        select(PreflightResult.may_leave, Document.currency, func.count().label("documents"), hundredths.label("net"))
        .join(Document, Document.id == PreflightResult.document_id)
        .where(PreflightResult.adaptor_id == adaptor_id)
        .group_by(PreflightResult.may_leave, Document.currency)
    ).all()
    customers = db.session.execute(
        select(Customer.readiness, ExportRule.active, func.count().label("customers"))
        .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
        .where(Customer.adaptor_id == adaptor_id, Customer.readiness != Readiness.UNCHECKED)
        .group_by(Customer.readiness, ExportRule.active)
    ).all()
    ready = [row for row in customers if row.readiness is Readiness.READY]
    return Totals(
        sum(row.documents for row in verdicts if row.may_leave),
        sum(row.documents for row in verdicts if not row.may_leave),
        _volumes(verdicts),
        sum(row.customers for row in customers),
        sum(row.customers for row in ready),
        sum(row.customers for row in ready if not row.active),
        sum(row.customers for row in customers if row.readiness is Readiness.NEEDS),
    )


def _volumes(verdicts: Iterable[Any]) -> tuple[Volume, ...]:
    amounts: dict[str, dict[bool, Decimal]] = {}
    for row in verdicts:
        amounts.setdefault(row.currency, {})[row.may_leave] = Decimal(row.net) / 100
    found = (
        Volume(currency, by_verdict.get(True, Decimal(0)), by_verdict.get(False, Decimal(0)))
        for currency, by_verdict in amounts.items()
    )
    return tuple(sorted(found, key=lambda one: -(abs(one.go) + abs(one.stop))))


@dataclass(frozen=True, slots=True)
class Status:
    """The check itself."""

    running: Job | None
    failed: Job | None
    """The newest one, where it stopped by an error"""
    finished: Job | None
    """The newest one that came to its end"""


def status(adaptor_id: str) -> Status:
    """Whether a check is going on, and when the last one ended."""
    newest = background.latest(adaptor_id, KIND)
    finished = db.session.scalar(
        select(Job)
        .where(Job.adaptor_id == adaptor_id, Job.kind == KIND, Job.state == JobState.FINISHED)
        .order_by(Job.id.desc())
        .limit(1)
    )
    running = background.active(adaptor_id, KIND)
    return Status(running, newest if newest and newest.state is JobState.FAILED else None, finished)
