"""Nothing that workers or people ask for every few seconds reads a whole table that grows with every document.

The services themselves run, over some thousand documents, and each of their statements is explained by the database with
its values. PostgreSQL chooses by what it has counted: so many rows that reading all of them is never the cheapest way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.plans import explained

from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    FoundDocument,
    FoundGroup,
    Gateway,
    IncomingMessage,
    IncomingState,
    Mail,
    Notice,
    Problem,
    ProblemDocument,
    Recipient,
    Run,
    RunState,
    Stage,
    Subscription,
    Watch,
    Webhook,
    WebhookCall,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services import background
from invoiceapp.services.audit import queries as audit_queries
from invoiceapp.services.audit import verify as audit_verify
from invoiceapp.services.configuration import customers, onboarding
from invoiceapp.services.daily import due_runs, finding, flow, health, listing, problems
from invoiceapp.services.database import transaction
from invoiceapp.services.export import conversion, delivery, probing, queries, reach, recovery
from invoiceapp.services.four_eyes import letting_go
from invoiceapp.services.keeping import deleting, retention, verifying
from invoiceapp.services.notifications import arrivals, calling, composing, inbox, mailing, noticing
from invoiceapp.services.operations import counts
from invoiceapp.services.people import cockpit
from invoiceapp.services.proof import reconciling, unfinished
from invoiceapp.services.receipts import collecting, matching, questions

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import archived, million

DOCUMENTS = 6_000
#: Of each kind of work that is waiting.
SOME = 12
#: Of each kind of what is over.
MANY = 3_000
#: Reads an index from its beginning, and stops at the first row.
FIRST_ROW_ONLY = "files to verify"
#: Deleting looks from the oldest document on, and those are the ones that are due.
OLDEST_FIRST = "Index Scan document pk_document"


@pytest.fixture
def has_pages() -> bool:
    return False


@pytest.fixture
def office(app, monkeypatch) -> million.Built:
    """Three companies whose documents have left, and a little of each kind that waits."""
    monkeypatch.setattr(million, "CUSTOMERS", 300)
    # The oldest are to be deleted.
    built = million.build(DOCUMENTS, date(2020, 10, 1))
    subscription = db.session.scalars(sa.select(Subscription.id)).one()
    archived.fill(subscription)
    some = sa.select(Document).where(Document.adaptor_id == built.adaptors[2]).limit(2 * SOME)
    waiting = [_copy_of(row) for row in db.session.scalars(some)]
    db.session.execute(sa.insert(Document), waiting)
    gateway = db.session.scalars(sa.select(Gateway.id)).first()
    _make_deliveries([row["id"] for row in waiting[:SOME]], "pending", gateway, next_at=utcnow())
    few = Gateway(subscription_id=subscription, name="Few", kind="sftp", config={}, secrets={})
    db.session.add(few)
    db.session.flush()
    _make_deliveries(
        [row["id"] for row in waiting[SOME:]], "outcome_unknown", few.id, next_at=utcnow(), poll_at=utcnow()
    )
    db.session.execute(
        sa.update(Document).where(Document.id.in_([row["id"] for row in waiting[:SOME]])).values(stage=Stage.QUEUED)
    )
    _make_old(subscription, built)
    db.session.commit()
    million.analyze()
    return built


def _copy_of(row: Document) -> dict[str, Any]:
    names = {column.name for column in Document.__table__.columns} - {"delivery_id", "bundle"}
    same = {name: getattr(row, name) for name in names}
    return same | {"id": new_id(), "source_id": new_id(), "bundle": {}, "stage": Stage.CONVERTED, "status": "converted"}


def _make_deliveries(documents: list[str], state: str, gateway_id: str, **columns: Any) -> None:
    owners = sa.select(Document.id, Document.subscription_id, Document.adaptor_id).where(Document.id.in_(documents))
    rows = [
        {
            "id": new_id(), "subscription_id": row.subscription_id, "adaptor_id": row.adaptor_id, "document_id": row.id,
            "gateway_id": gateway_id, "format": "peppol-bis-3", "transport": "sftp", "state": state, "idem_key": new_id(),
            "remote_ref": "ref", **columns,
        }
        for row in db.session.execute(owners)
    ]  # fmt: skip
    db.session.execute(sa.insert(Delivery), rows)


def _make_old(subscription: str, built: million.Built) -> None:
    """What years have left behind of everything that is told, heard and looked for, and a little of each for one person."""
    people = [
        {"id": f"recipient{number}", "subscription_id": subscription, "email": f"{number}@x.dk"} for number in range(30)
    ]
    db.session.execute(sa.insert(Recipient), people)
    db.session.execute(sa.insert(Notice), [_notice(subscription, number) for number in range(MANY)])
    db.session.execute(sa.insert(Mail), [_mail(subscription, number) for number in range(MANY)])
    gateway = db.session.scalars(sa.select(Gateway.id)).first()
    messages = [
        {
            "subscription_id": subscription, "gateway_id": gateway, "name": f"{number}", "sha256": f"{number:064}", "size": 1,
            "state": IncomingState.MATCHED, "created_at": utcnow(),
        }
        for number in range(MANY)
    ]  # fmt: skip
    db.session.execute(sa.insert(IncomingMessage), messages)
    webhook = Webhook(id="webhook", subscription_id=subscription, adaptor_id=built.adaptors[0], url="https://x.dk")
    db.session.add(webhook)
    db.session.flush()
    calls = [{"webhook_id": "webhook", "event": f"{number}", "payload": {}, "state": "done"} for number in range(MANY)]
    db.session.execute(sa.insert(WebhookCall), calls)
    for number in range(5):
        million.write(db.session.connection(), "audit_entry", archived.audit(f"another{number}", MANY // 5))
    _make_found(subscription, built)


def _notice(subscription: str, number: int) -> dict[str, Any]:
    return {
        "subscription_id": subscription, "recipient_id": f"recipient{number % 30}", "event": f"event/{number}",
        "kind": "opened", "title": {"da": "x", "en": "x"}, "read_at": utcnow(),
    }  # fmt: skip


def _mail(subscription: str, number: int) -> dict[str, Any]:
    return {
        "subscription_id": subscription, "recipient_id": f"recipient{number % 30}", "kind": "notices", "to": "x@x.dk",
        "language": "da", "subject": "x", "text": "x", "html": "x", "message_id": f"{number}", "state": "sent",
        "ends_at": utcnow(),
    }  # fmt: skip


def _make_found(subscription: str, built: million.Built) -> None:
    """Manual exports and problems: of one all documents of the largest company, of another a few."""
    for adaptor, name in ((built.adaptors[0], "old"), (built.adaptors[2], "run")):
        db.session.add(
            Run(
                id=name, subscription_id=subscription, adaptor_id=adaptor, trigger="manual", query={}, moves_watermark=False,
                state=RunState.FINISHED,
            )
        )  # fmt: skip
        db.session.add(
            Problem(
                id=name, subscription_id=subscription, adaptor_id=adaptor, key=name, rule="x", text={}, turn="here",
                resolved_at=utcnow() if name == "old" else None,
            )
        )  # fmt: skip
        db.session.flush()
        of_it = (
            sa.select(Document.id)
            .where(Document.adaptor_id == adaptor)
            .limit(MANY if name == "old" else SOME)
            .subquery()
        )
        found = sa.select(sa.literal(name), of_it.c.id, sa.literal("exported"))
        db.session.execute(sa.insert(FoundDocument).from_select(["run_id", "document_id", "group"], found))
        stopped = sa.select(sa.literal(name), of_it.c.id)
        db.session.execute(sa.insert(ProblemDocument).from_select(["problem_id", "document_id"], stopped))


def _in_transaction(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        with transaction():
            work()

    return run


def _work() -> dict[str, Callable[[], object]]:
    """What the clock and the workers ask for, some of it every five seconds."""
    asked = {
        "adaptors with something to convert": lambda: db.session.scalars(conversion.with_work()).all(),
        "adaptors with something to send": lambda: db.session.scalars(delivery.with_work()).all(),
        "unclear deliveries to ask about": lambda: probing.due(),
        "deliveries to poll": lambda: questions.due(20),
        "claims of due times": due_runs.waiting,
        "jobs that nobody works on": background.due,
        "adaptors to notice": lambda: noticing.due(limit=noticing.BATCH),
        "mails to write": composing.due,
        "mails to send": lambda: mailing._due(utcnow(), 20),
        "webhooks to call": calling.due,
        "adaptors whose documents have moved": problems.dirty,
        "documents to delete": lambda: db.session.scalar(retention.next_query(date(2026, 11, 23))),
        FIRST_ROW_ONLY: verifying.is_due,
        "heads of the audit log": audit_verify.heads,
    }
    return {
        "a claim of documents": conversion.claim,
        "a claim of deliveries": delivery.claim,
        "expired leases": recovery.reap,
        "overdue receipts": recovery.expire_receipts,
        "receipts to match": matching.match_waiting,
        "gateways to collect from": collecting.due,
        "what is out of reach": reach.block_out_of_reach,
        "due runs": due_runs.claim,
        "approvals to finish": letting_go.finish,
        "reconciliations": reconciling.start_due,
        **{name: _in_transaction(work) for name, work in asked.items()},
    }


def _nights(built: million.Built) -> dict[str, Callable[[], object]]:
    """What is done once a night, in slices; ``total`` counts, which has to read an index whole."""
    adaptor, since = built.adaptors[0], date(2026, 11, 1)
    return {
        "a slice of deletion": deleting.night,
        "what a reconciliation lists of the unfinished": _in_transaction(lambda: list(unfinished.of(adaptor, since))),
        "causes of problems": lambda: problems.refresh(adaptor),
        "the audit log read in order": _in_transaction(lambda: list(audit_verify.records(_chain(), 200))),
    }


def _chain() -> str:
    return db.session.scalars(sa.select(Subscription.id)).one()


def _pages(built: million.Built) -> dict[str, Callable[[], object]]:
    """What people look at."""
    ids = list(built.adaptors)
    one, all_of_them = ids[:1], ids
    row = db.session.scalars(sa.select(Document).where(Document.adaptor_id == ids[0]).offset(500).limit(1)).one()
    # Of one that many use, the list's own order soon has a page: PostgreSQL knows that with more documents than these.
    gateway = db.session.scalars(sa.select(Gateway.id).where(Gateway.name == "Few")).one()
    narrowed = {
        "everything": {}, "needs a person": {"status": "person"}, "arrived": {"status": "arrived"},
        "on the way": {"status": "way"}, "one status": {"status": "delivered"}, "a month": {"from": "2024-03-01", "to": "2024-03-31"},
        "a customer": {"customer": row.customer_id}, "a gateway": {"gateway": gateway}, "a run": {"run": "run"},
        "a number": {"q": row.number}, "a part of a name": {"q": "bageri"}, "nobody's name": {"q": "ærøskøbing"},
    }  # fmt: skip
    views = {f"documents, {name}": args for name, args in narrowed.items()}
    views |= {f"documents by {sort}": {"sort": sort} for name in listing.SORTS for sort in (name, f"-{name}")}
    views |= {"documents far behind": {"after": f"{row.issue_date}~{row.id}"}}
    shown: dict[str, Callable[[], object]] = {}
    for name, args in views.items():
        view = listing.View.read(args)
        for whose, some in (("", one), (" of all adaptors", all_of_them)):
            shown[name + whose] = lambda some=some, view=view: listing.page(some, view)
    subscription = _chain()
    watch = Watch(adaptor_id=ids[0], subscription_id=subscription, arrivals_at=utcnow() - timedelta(hours=1))
    user = db.session.get_one(Recipient, "recipient7")
    user.user_id = built.user
    db.session.commit()
    return {name: _in_transaction(work) for name, work in shown.items()} | {
        name: _in_transaction(work)
        for name, work in {
            "figures": lambda: listing.counts(all_of_them),
            "flow": lambda: flow.of_adaptors(all_of_them),
            "health": lambda: health.of_adaptors(all_of_them),
            "stuck": lambda: list(health.stuck(all_of_them)),
            "problems": lambda: problems.of_adaptors(all_of_them),
            "a document": lambda: queries.story(row),
            "the first that has left": lambda: onboarding.has_exported(db.session.get_one(Adaptor, ids[0])),
            "arrivals to tell of": lambda: arrivals.since(watch, utcnow(), wanted=True),
            "the cockpit": lambda: db.session.execute(cockpit._exported(all_of_them)).all(),
            "what waits, in figures": lambda: (counts.to_convert(utcnow()), counts.oldest_since_booking(utcnow())),
            "found documents": lambda: finding.of_group("run", FoundGroup.EXPORTED),
            "chosen documents": lambda: (finding.chosen("run"), finding.standing("run")),
            "runs": lambda: queries.latest_runs(ids[0]),
            "customers": lambda: customers.page(ids[0], customers.Filter()),
            "customers, searched": lambda: customers.page(ids[0], customers.Filter(text="bageri")),
            "inbox": lambda: inbox.page(subscription, built.user),
            "unread": lambda: (
                inbox.unread(subscription, built.user),
                inbox.page(subscription, built.user, only_unread=True),
            ),
            "audit log": lambda: audit_queries.page(subscription, audit_queries.Filter()),
            "audit log of a person": lambda: audit_queries.page(subscription, audit_queries.Filter(person="person7@")),
            "audit log of a day": lambda: audit_queries.page(
                subscription, audit_queries.Filter(first=date(2026, 11, 20))
            ),
        }.items()
    }


def _slow(work: dict[str, Callable[[], object]]) -> dict[str, list[str]]:
    found = {}
    for name, one in work.items():
        with explained() as why:
            one()
        if why and name != FIRST_ROW_ONLY:
            found[name] = why
    return found


def test_what_waits_for_the_clock_and_the_workers_is_found_by_an_index(office):
    assert _slow(_work()) == {}


def test_nights_go_on_from_where_they_were(office, monkeypatch):
    # As small a part of these documents as a batch is of a real archive.
    monkeypatch.setattr(deleting, "BATCH", 3)
    monkeypatch.setattr(deleting, "SLICE", 0.0)
    slow = {
        name: [one for one in why if not one.startswith(OLDEST_FIRST)] for name, why in _slow(_nights(office)).items()
    }
    assert not any(slow.values()), slow


def test_every_page_of_every_list_is_read_along_an_index(office):
    assert _slow(_pages(office)) == {}


#: Rows of these go for good, and the database looks for what still points to each of them.
DELETED = ("document", "delivery", "rendition", "attempt", "numbered_interchange", "problem")


def test_whatever_points_to_rows_that_are_deleted_is_found_by_an_index():
    without = [
        f"{table.name}.{column.name}"
        for table in db.metadata.tables.values()
        for column in table.columns
        if {key.column.table.name for key in column.foreign_keys} & {*DELETED} and column.name not in _led_by(table)
    ]
    assert without == []


def _led_by(table: sa.Table) -> set[str]:
    """The first columns of the table's indexes."""
    unique = [one for one in table.constraints if isinstance(one, sa.PrimaryKeyConstraint | sa.UniqueConstraint)]
    return {next(iter(one.columns)).name for one in (*table.indexes, *unique)}


def test_a_whole_table_that_is_read_is_told(office):
    with explained() as why:
        db.session.scalars(sa.select(Document.id).where(Document.vat == 7)).all()
    assert len(why) == 1
