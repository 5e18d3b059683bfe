"""Documents by the million, as an office with three companies has them after five years: for ``benchmarks/listing.py``."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate, islice
from typing import Any

from sqlalchemy import Connection, insert, text, update

from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    Gateway,
    Membership,
    Role,
    Subscription,
    User,
    db,
    new_id,
    number_key,
    utcnow,
)
from invoiceapp.models.listing import triggers

CUSTOMERS = 4_000
YEARS = 5
FIRST_DAY = date(2021, 11, 23)
#: Part of the documents of each adaptor.
PARTS = (0.6, 0.3, 0.1)
TOWNS = ("Aarhus", "Odense", "København", "Aalborg", "Esbjerg", "Randers", "Kolding", "Horsens", "Vejle", "Roskilde")
KINDS = ("Kommune", "Bageri", "VVS", "Byg", "Rengøring", "Kunde", "Transport", "Tandlæge", "Skole", "Revision")
#: Status and its part of those that have a delivery, per thousand.
STATES = (
    ("acknowledged", 300), ("delivered", 450), ("accepted", 230), ("cancelled", 10), ("rejected", 3), ("failed", 2),
    ("outcome_unknown", 1), ("blocked", 4),
)  # fmt: skip
#: Of a source's records, as long as those of an invoice of two lines.
BUNDLE = '{"invoice": {"id": "x", "note": "' + "x" * 960 + '"}}'
#: Rows that are written at a time.
_CHUNK = 20_000
_NOW = "2026-11-22 10:00:00.000000"


@dataclass(frozen=True, slots=True)
class Built:
    """Ids: the adaptors, the largest first, and somebody who may see them."""

    adaptors: tuple[str, ...]
    user: int


def build(documents: int, first_day: date = FIRST_DAY) -> Built:
    """An empty database's tables, filled. Indexes and triggers are made when the rows are there, as a restored backup does."""
    db.create_all()
    built, gateways, customers = _owners(documents)
    connection = db.session.connection()
    tables = [db.metadata.tables[name] for name in ("document", "delivery")]
    indexes = sorted((one for table in tables for one in table.indexes), key=lambda one: one.name or "")
    drop_triggers(connection)
    for index in indexes:
        index.drop(connection)
    subscription = db.session.get_one(Adaptor, built.adaptors[0]).subscription_id
    rows = _documents(documents, first_day, built.adaptors, subscription, gateways, customers)
    _load(connection, rows)
    for index in indexes:
        index.create(connection)
    for statement in triggers(connection.dialect.name):
        connection.exec_driver_sql(_raw(connection, statement))
    connection.execute(
        text(
            "INSERT INTO tally (adaptor_id, day, status, documents, is_news) "
            "SELECT adaptor_id, issue_date, status, count(*), FALSE FROM document GROUP BY adaptor_id, issue_date, status"
        )
    )
    db.session.commit()
    analyze()
    return built


def analyze() -> None:
    """PostgreSQL plans by what it has counted, and counts by itself some time later; SQLite needs no counting."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
            other.exec_driver_sql("VACUUM ANALYZE")


def _raw(connection: Connection, statement: str) -> str:
    return statement.replace("%", "%%") if connection.dialect.name == "postgresql" else statement


def drop_triggers(connection: Connection) -> None:
    """In the transaction of ``connection``."""
    for statement in triggers(connection.dialect.name):
        words = statement.split()
        if "TRIGGER" in words[:4]:
            name = words[words.index("AFTER") - 1]
            table = words[words.index("FOR") - 1]
            on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"DROP TRIGGER {name}{on}")


def size() -> int:
    """Bytes of the whole database."""
    is_sqlite = db.engine.dialect.name == "sqlite"
    query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()" if is_sqlite else (
        "SELECT pg_database_size(current_database())"
    )  # fmt: skip
    found = int(db.session.scalar(text(query)) or 0)
    db.session.rollback()
    return found


def _owners(documents: int) -> tuple[Built, list[str], list[list[Any]]]:
    """The tenant; customers of each adaptor as id, id in the source, name."""
    subscription = Subscription(name="Bench ApS")
    user = User(email="bench@example.com", name="Bench", password="x", active=True, fs_uniquifier=new_id())
    db.session.add_all((subscription, user))
    db.session.flush()
    db.session.add(Membership(subscription_id=subscription.id, user_id=user.id, role=Role.OWNER))
    gateways = [
        Gateway(subscription_id=subscription.id, name=name, kind="sftp", config={}, secrets={})
        for name in ("SFTP", "NemHandel")
    ]
    adaptors = [
        Adaptor(
            subscription_id=subscription.id, name=name, source_kind="billy", settings={},
            organization={"id": name, "name": f"{name} ApS", "registration_no": "12345674"},
        )
        for name in ("Nordlys", "Solhverv", "Havgus")
    ]  # fmt: skip
    db.session.add_all((*gateways, *adaptors))
    db.session.flush()
    customers = []
    for adaptor, part in zip(adaptors, PARTS, strict=True):
        rows = [
            {
                "id": new_id(), "subscription_id": subscription.id, "adaptor_id": adaptor.id, "source_id": f"c{number}",
                "name": f"{TOWNS[number % 10]} {KINDS[number * 7 // 10 % 10]} {number:04}", "country": "DK", "raw": {},
            }
            for number in range(int(CUSTOMERS * part))
        ]  # fmt: skip
        db.session.execute(insert(Customer), rows)
        customers.append([(row["id"], row["source_id"], row["name"]) for row in rows])
    db.session.commit()
    return Built(tuple(one.id for one in adaptors), user.id), [one.id for one in gateways], customers


def _documents(
    count: int,
    first_day: date,
    adaptors: tuple[str, ...],
    subscription: str,
    gateways: list[str],
    customers: list[list[Any]],
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Rows of documents with their deliveries', oldest first; the same ones each time."""
    dice = random.Random(7)
    states, weights = zip(*STATES, strict=True)
    sums = list(accumulate(weights))
    # A few customers get many documents.
    shares = [list(accumulate(1 / (place + 10) for place in range(len(some)))) for some in customers]
    days = (FIRST_DAY - first_day).days + YEARS * 365
    numbers = [100_000, 0, 500]
    for place in range(count):
        which = dice.choices((0, 1, 2), PARTS)[0]
        customer_id, source_id, name = dice.choices(customers[which], cum_weights=shares[which])[0]
        day = first_day + timedelta(days=place * days // count)
        numbers[which] += 1
        number = f"{day.year}-{numbers[which]:06}" if which == 1 else str(numbers[which])
        net = dice.randrange(1_000, 5_000_000)
        draw = dice.random()
        order = f"45{dice.randrange(10**8):08}" if draw < 0.3 else f"PO-{place:07}" if draw < 0.45 else None
        state = dice.choices(states, cum_weights=sums)[0] if dice.random() < 0.97 else None
        if state == "blocked" and place < count * 0.9:
            state = "acknowledged"
        document, delivery = f"01A{place:023}", f"01B{place:023}"
        gateway, form = gateways[place % 3 == 0], ("peppol-bis-3", "oioubl-2.1")[place % 3 == 0]
        owner = {"subscription_id": subscription, "adaptor_id": adaptors[which], "created_at": _NOW, "updated_at": _NOW}
        yield (
            {
                **owner, "id": document, "customer_id": customer_id, "source_id": f"d{place}", "number": number,
                "type": "creditNote" if place % 25 == 0 else "invoice", "issue_date": day.isoformat(),
                "customer_source_id": source_id, "customer_name": name, "currency": "DKK", "net": f"{net / 100:.2f}",
                "vat": f"{net / 400:.2f}", "order_number": order, "customer_order": order,
                "supplier_order": f"SO{place:07}" if place % 5 == 0 else None, "number_key": number_key(number),
                "amount_key": net * 125, "bundle": BUNDLE, "bundle_sha256": f"{place:064}",
                "stage": "converted" if state else "listed", "tries": 0, "status": state or "listed",
                "status_at": f"{day} 12:00:00.000000", "delivery_id": delivery if state else None,
                "format": form if state else None, "gateway_id": gateway if state else None, "send_anyway": 0,
                "before_invoice": 0, "pdf_is_own": 0,
            },
            {
                **owner, "id": delivery, "document_id": document, "gateway_id": gateway, "environment": "live",
                "format": form, "transport": "sftp", "state": state, "tries": 1, "fence": 2,
                "idem_key": f"{place:026}", "remote_ref": f"{place:026}.xml", "findings": "[]", "polls": 0,
                "first_sent_at": f"{day} 12:00:00.000000", "finished_at": f"{day} 12:00:00.000000",
            } if state else None,
        )  # fmt: skip


def _load(connection: Connection, rows: Iterator[tuple[dict[str, Any], dict[str, Any] | None]]) -> None:
    while some := list(islice(rows, _CHUNK)):
        write(connection, "document", (document for document, _delivery in some))
        write(connection, "delivery", (delivery for _document, delivery in some if delivery))


def write(connection: Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    """By the driver: an ORM would take longer than the database."""
    left = iter(rows)
    while some := list(islice(left, _CHUNK)):
        _write(connection, table, some)


def _write(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    names = ", ".join(rows[0])
    cursor = connection.connection.cursor()
    values = [tuple(row.values()) for row in rows]
    if connection.dialect.name == "sqlite":
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(rows[0]))})", values)
    else:
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in values:
                copy.write_row(row)
    cursor.close()


def one_life(adaptor_id: str, count: int) -> float:
    """Microseconds to insert a document and its delivery and to move it once, in the caller's transaction."""
    adaptor = db.session.get_one(Adaptor, adaptor_id)
    customer = db.session.query(Customer).filter_by(adaptor_id=adaptor_id).first()
    gateway = db.session.query(Gateway).first()
    if customer is None or gateway is None:
        raise SystemExit("nothing was built")
    owner = {"subscription_id": adaptor.subscription_id, "adaptor_id": adaptor_id}
    started = time.perf_counter()
    for _ in range(count):
        document, delivery = new_id(), new_id()
        db.session.execute(
            insert(Document).values(
                **owner, id=document, customer_id=customer.id, source_id=document, number=document, type="invoice",
                issue_date=date(2026, 11, 22), customer_source_id="c", customer_name=customer.name, currency="DKK",
                net=100, vat=25, bundle={}, bundle_sha256="0" * 64, stage="converted", status="converted",
            )
        )  # fmt: skip
        db.session.execute(
            insert(Delivery).values(
                **owner, id=delivery, document_id=document, gateway_id=gateway.id, format="peppol-bis-3",
                transport="sftp", state="pending", idem_key=delivery, next_at=utcnow(),
            )
        )  # fmt: skip
        db.session.execute(update(Delivery).where(Delivery.id == delivery).values(state="delivered"))
    return (time.perf_counter() - started) / count * 1_000_000
