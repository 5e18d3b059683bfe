"""Workers that are stopped, are taken for dead, and wake up when others have gone on: nothing is sent twice by that.

The partner has the bytes and holds its answer while the worker is stopped, so that it stands exactly inside its sending.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.receivers import Receiver

from invoiceapp.domain.delivery import ARRIVED, DeliveryState, Replay
from invoiceapp.models import Event, Gateway, Receipt, db
from invoiceapp.services.export import delivery, probing, recovery
from tests.faults.test_faults import LINES
from tests.faults.worker import let_leases_pass, let_pauses_pass

from . import books
from .conftest import Outbox
from .steps import SHORT_LEASE
from .zygote import Zygote

S = DeliveryState
pytestmark = pytest.mark.crash
#: Of the kinds whose partner recognises nothing, can be asked, or recognises a repetition.
UNSAFE, PROBE, SAFE = ("email", "http-unsafe"), ("http-asked",), ("sftp",)


@pytest.fixture
def receiver(name: str, tmp_path: Path) -> Iterator[Receiver]:
    with LINES[name].receiver(tmp_path / "receiver") as receiver:
        yield receiver


@pytest.fixture
def sent(receiver: Receiver, open_gateway: Callable[..., Gateway], outbox: Outbox) -> dict[str, str]:
    return outbox(open_gateway(receiver.kind, receiver.config()), 1)


@pytest.fixture
def stopped_inside(receiver: Receiver, start: Callable[..., int], zygote: Zygote) -> Any:
    """``with stopped_inside():`` a worker stands inside its sending; afterwards it wakes, hears the answer, and ends."""

    @contextmanager
    def hold() -> Iterator[None]:
        has_it, may_answer = threading.Event(), threading.Event()

        def wait() -> None:
            receiver.on_effect = lambda: None
            has_it.set()
            may_answer.wait(60)

        receiver.on_effect = wait
        pid = start("deliver", kind=receiver.kind)
        try:
            assert has_it.wait(30)
            os.kill(pid, signal.SIGSTOP)
            assert zygote.wait(pid, stopped=True) == -signal.SIGSTOP
            taken_for_dead()
            yield
        finally:
            may_answer.set()
        db.session.rollback()
        os.kill(pid, signal.SIGCONT)
        assert zygote.wait(pid) == 0

    return hold


@pytest.fixture
def stopped_at(receiver: Receiver, start: Callable[..., int], zygote: Zygote) -> Any:
    """``with stopped_at(step):`` a worker stands at a step of ``steps``; afterwards it wakes, and ends."""

    @contextmanager
    def hold(step: str, work: str = "deliver") -> Iterator[None]:
        pid = start(work, f"stop:{step}", receiver.kind)
        assert zygote.wait(pid, stopped=True) == -signal.SIGSTOP
        taken_for_dead()
        yield
        db.session.rollback()
        os.kill(pid, signal.SIGCONT)
        assert zygote.wait(pid) == 0

    return hold


def taken_for_dead() -> None:
    """Its lease runs out, and the reaper comes."""
    let_leases_pass()
    assert recovery.reap() == 1


def the_row() -> Any:
    (row,) = books.rows()
    return row


def lines(kind: str) -> int:
    return len(db.session.scalars(select(Event.id).where(Event.kind == kind)).all())


@pytest.mark.parametrize("name", UNSAFE)
def test_a_late_yes_lifts_what_nobody_knew_and_nothing_is_sent_again(name, receiver, sent, stopped_inside):
    assert LINES[name].replay is Replay.UNSAFE
    with stopped_inside():
        row = the_row()
        assert row.state is S.OUTCOME_UNKNOWN and row.next_at is None
        let_pauses_pass()
        assert delivery.deliver_due() == 0 and probing.probe_due() == 0
    row = the_row()
    assert row.state in ARRIVED and row.error is None and lines("late_receipt") == 1
    assert len(books.attempts_of(row.id)) == len(receiver.effects) == 1
    books.compare(receiver, sent)


@pytest.mark.parametrize("name", PROBE)
def test_who_was_asked_meanwhile_has_said_so_and_the_late_yes_is_one_more_piece_of_evidence(
    name, receiver, sent, stopped_inside
):
    with stopped_inside():
        assert the_row().state is S.OUTCOME_UNKNOWN
        let_pauses_pass()
        assert probing.probe_due() == 1
        found = the_row()
        assert found.state in ARRIVED
    row = the_row()
    assert (row.state, row.fence) == (found.state, found.fence), "a late yes moves nothing that has moved on"
    kinds = Counter(db.session.scalars(select(Receipt.kind).where(Receipt.delivery_id == row.id)))
    assert kinds == {"found": 1, "wire": 1} and lines("late_receipt") == 1
    assert len(books.attempts_of(row.id)) == len(receiver.effects) == 1
    books.compare(receiver, sent)


@pytest.mark.parametrize("name", PROBE)
def test_a_late_yes_comes_before_the_partner_is_asked(name, receiver, sent, stopped_inside):
    with stopped_inside():
        assert the_row().state is S.OUTCOME_UNKNOWN
    assert the_row().state in ARRIVED
    let_pauses_pass()
    assert probing.probe_due() == delivery.deliver_due() == 0
    books.compare(receiver, sent)


@pytest.mark.parametrize("name", SAFE)
def test_where_another_worker_repeated_it_the_partner_has_it_once_and_both_have_evidence(
    name, receiver, sent, stopped_inside
):
    with stopped_inside():
        assert the_row().state is S.PENDING
        assert delivery.deliver_due() == 1
        assert the_row().state is S.DELIVERED
    row = the_row()
    assert row.state is S.DELIVERED and lines("late_receipt") == 1
    assert [one.outcome for one in books.attempts_of(row.id)] == ["accepted"] * 2
    assert len(receiver.effects) == 1
    books.compare(receiver, sent)


@pytest.mark.parametrize("name", (*UNSAFE, *PROBE, *SAFE))
def test_who_wakes_before_its_first_byte_sends_nothing(name, receiver, sent, stopped_at):
    with stopped_at("after_claim"):
        assert the_row().state is S.PENDING
        assert delivery.deliver_due() == 1
        done = the_row()
        assert done.state in ARRIVED
    row = the_row()
    assert (row.state, row.fence, row.tries) == (done.state, done.fence, 1)
    assert len(books.attempts_of(row.id)) == len(receiver.effects) == 1 and lines("late_receipt") == 0
    books.compare(receiver, sent)


@pytest.mark.parametrize("name", (UNSAFE[0], *PROBE, *SAFE))
def test_who_wakes_while_another_holds_the_lease_leaves_it_to_them(name, receiver, sent, stopped_at):
    with stopped_at("after_claim"):
        (held,) = delivery.claim()
    row = the_row()
    assert (row.state, row.fence) == (S.LEASED, held.fence) and receiver.effects == []
    assert books.attempts_of(row.id) == []


@pytest.mark.parametrize("name", UNSAFE[:1])
def test_who_wakes_just_before_its_first_byte_long_after_sends_nothing_either(name, receiver, sent, stopped_at):
    with stopped_at("after_begin", "deliver_with_a_short_lease"):
        assert the_row().state is S.OUTCOME_UNKNOWN
        time.sleep(SHORT_LEASE.total_seconds())
    row = the_row()
    assert row.state is S.OUTCOME_UNKNOWN and receiver.effects == []
    assert [one.outcome for one in books.attempts_of(row.id)] == ["unavailable"], "it says that nothing left"
    books.compare(receiver, sent)
