"""The product of one case: its settings, its rows, and what its database tells about a run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from invoiceapp.demo.serve import TOKEN
from invoiceapp.domain.delivery import ARRIVED
from invoiceapp.models import Adaptor, Customer, Delivery, Document, Event, Run, RunState, Stage, Subscription, db
from invoiceapp.services.configuration import customer_reading, gateways, rules, sources
from invoiceapp.services.database import reading, transaction
from tests.support.postgres import PostgresCluster

from .targets import Target

FORMAT = "peppol-bis-3"
_MOVING = ("pending", "leased", "sending")


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty one that loses nothing: SQLite as the product opens it, PostgreSQL with fsync."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.sqlite3'}"
        return
    with PostgresCluster(is_durable=True) as cluster:
        yield cluster.new_database()


def environment(folder: Path, url: str, socket: Path) -> dict[str, str]:
    """Of all processes of the product; names nothing outside ``folder`` but the official rules."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    return {
        **kept, "DATABASE_URL": url, "INSTANCE_DIR": str(folder), "DEMO": "0", "REDIS_URL": f"unix://{socket}",
        "BASE_URL": "http://127.0.0.1:1", "PYTHONUNBUFFERED": "1",
        # What is measured is how much the product can do, not how gentle it is with Billy.
        "BILLY_REQUESTS_PER_SECOND": "0",
    }  # fmt: skip


def set_up(target: Target, billy: int) -> tuple[str, str]:
    """Tenant, gateway and adaptor with all customers activated; ids of adaptor and gateway."""
    db.create_all()
    with transaction() as session:
        subscription = Subscription(name="Bench ApS")
        session.add(subscription)
        session.flush()
        adaptor = Adaptor(subscription_id=subscription.id, name="Billy", source_kind="billy", settings={})
        session.add(adaptor)
        session.flush()
        adaptor_id, subscription_id = adaptor.id, subscription.id
    gateway_id = gateways.save(subscription_id, target.kind, "Partner", target.form).id
    sources.connect(adaptor_id, {"token": TOKEN, "base_url": f"http://127.0.0.1:{billy}/v2"})
    customer_reading.refresh_customers(adaptor_id)
    with transaction() as session:
        ids = session.scalars(select(Customer.id).where(Customer.adaptor_id == adaptor_id)).all()
    rules.activate(adaptor_id, ids, FORMAT, gateway_id)
    return adaptor_id, gateway_id


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the export is."""

    run: RunState
    error: dict[str, str] | None
    arrived: int
    stuck: int
    """Deliveries and documents that will not move by themselves"""
    under_way: int

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.run is RunState.FAILED or (self.run is RunState.FINISHED and self.under_way == 0)


def progress(run_id: str) -> Progress:
    """As it is now; nobody's writes wait for it."""
    with reading() as session:
        run = session.get_one(Run, run_id, populate_existing=True)
        counted = select(Delivery.state, func.count()).group_by(Delivery.state)
        states = {state.value: count for state, count in session.execute(counted)}
        queued = session.scalar(select(func.count()).where(Document.stage == Stage.QUEUED)) or 0
        unusable = session.scalar(select(func.count()).where(Document.stage == Stage.UNUSABLE)) or 0
        arrived = sum(states.get(state.value, 0) for state in ARRIVED)
        moving = sum(states.get(name, 0) for name in _MOVING)
        return Progress(
            run.state, run.error, arrived, sum(states.values()) - arrived - moving + unusable, queued + moving
        )


def phases(run_id: str) -> dict[str, tuple[float, float]]:
    """Unix times of the first and the last document of each phase: read, converted, sending begun, accepted."""
    with reading() as session:
        run = session.get_one(Run, run_id, populate_existing=True)
        found = {"read": (_unix(run.started_at), _unix(run.finished_at))}
        for name, kind in (("convert", "converted"), ("send", "sending")):
            ends = select(func.min(Event.created_at), func.max(Event.created_at)).where(Event.kind == kind)
            found[name] = _ends(session.execute(ends).one())
        ends = select(func.min(Delivery.finished_at), func.max(Delivery.finished_at))
        found["accept"] = _ends(session.execute(ends.where(Delivery.state.in_(ARRIVED))).one())
    return found


def _ends(moments: Sequence[Any]) -> tuple[float, float]:
    first, last = map(_unix, moments)
    return first, last


def _unix(moment: Any) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else 0.0


def xact_commits() -> int | None:
    """Transactions that PostgreSQL has committed in this database; None on SQLite, which does not count them."""
    if db.engine.dialect.name != "postgresql":
        return None
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        found = connection.execute(text("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"))
        return int(found.scalar_one())


def server_pid() -> int | None:
    """PostgreSQL's first process on this machine; None on SQLite."""
    if db.engine.dialect.name != "postgresql":
        return None
    with db.engine.connect() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    words = Path(f"/proc/{backend}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(words[1])
