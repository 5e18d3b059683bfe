"""How many transactions a document costs. Each that writes is one wait for the disk, so each has its reason here."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from invoiceapp.models import db
from invoiceapp.services.export import conversion, delivery


@dataclass
class Committed:
    """Transactions by the function of ours that ended them, ``<module>.<function>``: what has written, and what only read."""

    wrote: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    """In all transactions of one function; where one begins is no statement"""


@contextmanager
def committed() -> Iterator[Committed]:
    """Those that end with a commit meanwhile."""
    found = Committed()
    has_written, asked = False, 0

    def execute(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        nonlocal has_written, asked
        asked += not statement.startswith("BEGIN")
        has_written = has_written or not statement.lstrip().startswith(("SELECT", "BEGIN"))

    def commit(_connection: Any) -> None:
        nonlocal has_written, asked
        (found.wrote if has_written else found.read)[_ours()] += 1
        found.statements[_ours()] += asked
        has_written, asked = False, 0

    listeners = (("before_cursor_execute", execute), ("commit", commit))
    for name, listener in listeners:
        sa.event.listen(db.engine, name, listener)
    try:
        yield found
    finally:
        for name, listener in listeners:
            sa.event.remove(db.engine, name, listener)


def _ours() -> str:
    """Who is committing."""
    frame = sys._getframe(1)
    while frame.f_back:
        frame = frame.f_back
        path = Path(frame.f_code.co_filename)
        if "services" in path.parts and "tests" not in path.parts and path.name != "database.py":
            return f"{path.stem}.{frame.f_code.co_name}"
    return "?"


def test_a_delivery_costs_two_writes_and_its_batch_three(ready, partner):
    for number in ("1", "2", "3"):
        ready(number)
    with committed() as found:
        delivery.deliver_due()
    assert len(partner.sent) == 3
    assert found.wrote == {
        # Of the batch: nobody else has these deliveries while they are sent.
        "delivery.claim": 1,
        # The partner's machine gets no more connections than it may have, whatever the number of workers; one back at the end.
        "slots._take": 1,
        "slots.taken": 1,
        # Of each: the attempt with its wire ids before the first byte, without which a crash would be a silent loss …
        "delivery.begin": 3,
        # … and what the partner said, with its evidence. The two never become one: the bytes travel between them.
        "outcomes.accept": 3,
    }
    # What is sent, read just before; nothing waits for them and nothing is synced.
    assert found.read == {"delivery._deliver_group": 1, "consignments.consignment_of": 3}
    # In one question what it is; the last look, its rule, number, move and attempt; the moves and the evidence. A number that
    # no conversion has taken, as here, costs three instead of one, and PostgreSQL locks the document before it moves.
    locks = db.engine.dialect.name == "postgresql"
    told = ("consignments.consignment_of", "delivery.begin", "outcomes.accept")
    each = {name: found.statements[name] / 3 for name in told}
    assert each == dict(zip(told, (1, 8 + locks, 5 + locks), strict=True))


def test_a_conversion_costs_two_writes_and_its_batch_one(queued):
    for number in ("1001", "1002", "1003"):
        queued(number)
    with committed() as found:
        conversion.convert_due()
    assert found.wrote == {
        # Of the batch: nobody else converts these meanwhile.
        "conversion.claim": 1,
        # Of each: its try is counted before anything can take the worker down, and its lease begins when its turn comes …
        "loading._is_as_read": 3,
        # … and the rendition with its delivery, both or neither.
        "outbox.keep_rendition": 3,
    }
    assert sum(found.read.values()) <= 4, found.read
