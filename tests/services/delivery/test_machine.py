"""The delivery machine over a real database: whatever happens in whatever order, what it promises holds.

Workers that are killed, or go on after their lease ran out; a partner that says each of its words, or says it late; people,
reapers, questions and receipts between any two of their steps. The partner's own log tells what took effect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select, update

from invoiceapp.domain.delivery import ARRIVED, EXCLUSIVE, IN_PROGRESS, DeliveryState, Replay, moves
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Incoming, Refused, Rejected, TransportError, Unavailable, Unknown, Verdict
from invoiceapp.gateways.base import Receipt as WireReceipt
from invoiceapp.models import Attempt, Delivery, Document, Gateway, Receipt, StatusChange, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery.moves import Lease, LeaseLost
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import actions, delivery, outcomes, probing, recovery, resending, standing
from invoiceapp.services.receipts import matching, storing
from invoiceapp.services.receipts.reading import Said

S = DeliveryState
WORDS = Text("Nej.", "No.")
ERRORS = (Refused, Rejected, Unavailable, Unknown)
#: Those first where a repetition does harm.
REPLAYS = (Replay.UNSAFE, Replay.PROBE, Replay.SAFE)
#: None is a yes.
ANSWERS = (None, None, *ERRORS)


def _shown(state: str) -> str:
    return "pending" if state in IN_PROGRESS else state


_STEPS = {(_shown(old), _shown(new)) for old, new in moves()}


@dataclass
class Worker:
    """One try, as far as it has come."""

    lease: Lease
    attempt_id: str | None = None
    has_sent: bool = False
    is_late: bool = False
    """Its lease has run out: its last byte left long before (``Transport.DEADLINE``)"""


@dataclass
class World:
    """What the machine needs of its test's fixtures."""

    ready: Callable[..., Delivery]
    gateway_id: str
    partner: Any
    say: Callable[[list[Said]], None]
    """What the next message says"""
    counter: list[int] = field(default_factory=lambda: [0])


class Machine(RuleBasedStateMachine):
    """Two documents, one gateway."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.workers: list[Worker] = []
        self.effects: Counter[str] = Counter()
        """What the partner has, by our key"""
        self.begun: Counter[str] = Counter()
        self.fences: dict[str, int] = {}
        self.has_said_no: set[str] = set()

    @initialize(replay=st.sampled_from(REPLAYS), is_final=st.booleans(), steps=st.sampled_from((3, 3, 3, 2, 0)))
    def begin(self, replay: Replay, is_final: bool, steps: int) -> None:
        """Mostly a worker stands inside its sending already, where what comes next counts most."""
        self.replay, self.is_final = replay, is_final
        self.world.partner.replays = replay
        self.world.partner.effects = self.effects
        gateways.resume(self.world.gateway_id)
        self.ids = []
        for _ in range(2):
            self.world.counter[0] += 1
            self.ids.append(self.world.ready(f"M{self.world.counter[0]}").document_id)
        self.a_worker_goes_on(steps, None, 0)

    def teardown(self) -> None:
        """When all is well again, what is left is known, or a person's; then nobody touches these any more."""
        if hasattr(self, "ids"):
            self._end()
            self.hold()
        with transaction():
            db.session.execute(update(Delivery).values(next_at=None))

    def _end(self) -> None:
        self.workers.clear()
        gateways.resume(self.world.gateway_id)
        for _ in range(30):
            self.leases_end()
            while delivery.deliver_due():
                pass
            if not probing.probe_due() and not any(row.state in IN_PROGRESS for row in self.rows()):
                return
        raise AssertionError([(row.state, row.next_at) for row in self.rows()])

    def rows(self) -> list[Delivery]:
        db.session.rollback()
        found = select(Delivery).where(Delivery.document_id.in_(self.ids)).order_by(Delivery.id)
        return list(db.session.scalars(found.execution_options(populate_existing=True)))

    def row(self, number: int) -> Delivery:
        """The newest delivery of one of the documents."""
        return [row for row in self.rows() if row.document_id == self.ids[number]][-1]

    # Workers.

    @rule(steps=st.integers(1, 5), answer=st.sampled_from(ANSWERS), who=st.integers(0, 1))
    def a_worker_goes_on(self, steps: int, answer: type[TransportError] | None, who: int) -> None:
        """As far as it comes in so many steps; ``answer`` is what it hears at the last one."""
        for _ in range(steps):
            if not self.workers:
                self.workers += [Worker(lease) for lease in delivery.claim()]
                continue
            worker = self.workers[min(who, len(self.workers) - 1)]
            if worker.attempt_id is None:
                self._begin(worker)
            elif not worker.has_sent and not worker.is_late and answer not in ERRORS[:-1]:
                worker.has_sent = True
                self._take(worker)
            else:
                self._hear(worker, answer)

    def _begin(self, worker: Worker) -> None:
        with transaction():
            row = db.session.get_one(Delivery, worker.lease.delivery_id)
            opened, name = standing.opened(row.gateway), f"{row.idem_key}.xml"
        try:
            worker.attempt_id = delivery.begin(worker.lease, {"name": name}, opened)
        except LeaseLost:
            self.workers.remove(worker)
            return
        self.begun[worker.lease.delivery_id] += 1

    def _take(self, worker: Worker) -> None:
        """The partner's side: what it has already it takes once more where nothing tells it so."""
        with transaction():
            key = db.session.get_one(Delivery, worker.lease.delivery_id).idem_key
        if self.replay is not Replay.SAFE or not self.effects[key]:
            self.effects[key] += 1

    def _hear(self, worker: Worker, answer: type[TransportError] | None) -> None:
        self.workers.remove(worker)
        assert worker.attempt_id
        due = None if self.is_final else timedelta(hours=1)
        with suppress(LeaseLost):
            if answer is None and worker.has_sent:
                receipt = WireReceipt("R", {"size": 1}, proves_arrival=True, final=self.is_final, due=due)
                outcomes.accept(worker.lease, worker.attempt_id, receipt)
            else:
                # Who has taken it does not say no.
                error = Unknown(WORDS) if worker.has_sent or answer is None else answer(WORDS)
                outcomes.give_back(worker.lease, worker.attempt_id, error, self.replay)

    @precondition(lambda self: self.workers)
    @rule(who=st.integers(0, 1))
    def a_worker_is_killed(self, who: int) -> None:
        self.workers.pop(min(who, len(self.workers) - 1))

    # The machine's own keepers.

    @rule()
    def time_passes(self) -> None:
        """Beyond every lease and every pause."""
        for worker in self.workers:
            worker.is_late = True
        past = utcnow() - timedelta(hours=2)
        with transaction():
            mine = Delivery.document_id.in_(self.ids) & Delivery.next_at.is_not(None)
            db.session.execute(update(Delivery).where(mine).values(next_at=past))
            db.session.execute(update(Gateway).where(Gateway.retry_at.is_not(None)).values(retry_at=past))

    @rule()
    def reap(self) -> None:
        recovery.reap()
        recovery.expire_receipts()

    @rule()
    def leases_end(self) -> None:
        self.time_passes()
        self.reap()

    @rule()
    def ask_partners(self) -> None:
        probing.probe_due()

    # Receipts.

    @precondition(lambda self: any(self.effects.values()))
    @rule(number=st.integers(0, 1), verdict=st.sampled_from(Verdict), times=st.integers(1, 2))
    def a_receipt_comes(self, number: int, verdict: Verdict, times: int) -> None:
        """Early, late or again; only about what the partner has."""
        row = self.row(number)
        if not self.effects[row.idem_key] or verdict is Verdict.HINT:
            return
        if verdict is Verdict.REJECTED:
            self.has_said_no.add(row.idem_key)
        for _ in range(times):
            self._message(Said(row.id, "aperk", "17", verdict))

    @rule()
    def a_foreign_receipt_comes(self) -> None:
        before = [(row.id, row.state, row.fence) for row in self.rows()]
        self._message(Said(None, "aperk", "18", Verdict.ACKNOWLEDGED))
        assert [(row.id, row.state, row.fence) for row in self.rows()] == before

    def _message(self, said: Said) -> None:
        self.world.counter[0] += 1
        self.world.say([said])
        gateway = db.session.get_one(Gateway, self.world.gateway_id)
        incoming = Incoming("svar.edi", str(self.world.counter[0]).encode(), {})
        matching.match(storing.keep(gateway, incoming).id)

    # People.

    @rule(
        number=st.integers(0, 1), what=st.sampled_from(("try_again", "cancel", "mark", "send_again", "ask", "resend"))
    )
    def a_person_acts(self, number: int, what: str) -> None:
        row = self.row(number)
        acts: dict[str, Callable[[], object]] = {
            "try_again": lambda: actions.try_again(row, "ida"),
            "cancel": lambda: actions.cancel(row, "ida", "ikke nu"),
            "mark": lambda: actions.mark_received(row, "ida", "ringet"),
            "send_again": lambda: actions.send_again(row, "ida", "tabt"),
            "ask": lambda: actions.ask_again(row, "ida"),
            "resend": lambda: resending.resend(self.world.gateway_id, utcnow() - timedelta(days=1), "ida"),
        }
        with suppress(Conflict, ServiceError):
            acts[what]()

    @rule(is_paused=st.booleans())
    def the_gateway_is_paused_or_resumed(self, is_paused: bool) -> None:
        if is_paused:
            gateways.pause_by_person(self.world.gateway_id, "ida")
        else:
            gateways.resume(self.world.gateway_id, "ida")

    # What must hold.

    @invariant()
    def hold(self) -> None:
        if not hasattr(self, "ids"):
            return
        rows = self.rows()
        active = Counter(row.document_id for row in rows if row.state in EXCLUSIVE)
        assert max(active.values(), default=0) <= 1
        assert {row.document_id for row in rows} == set(self.ids), "nothing is lost"
        for row in rows:
            assert row.fence >= self.fences.get(row.id, 0), "a fence never falls"
            self.fences[row.id] = row.fence
            self._check_attempts(row)
            self._check_evidence(row)
        assert max(self.effects.values(), default=0) <= 1, "nothing takes effect twice"
        self._check_history(rows)

    def _check_attempts(self, row: Delivery) -> None:
        tries = db.session.scalars(select(Attempt).where(Attempt.delivery_id == row.id).order_by(Attempt.number)).all()
        assert [one.number for one in tries] == list(range(1, len(tries) + 1))
        assert row.tries <= len(tries) and {one.wire_ids["name"] for one in tries} <= {f"{row.idem_key}.xml"}
        if row.id in self.begun:
            assert len(tries) >= self.begun[row.id]
        if self.effects[row.idem_key]:
            assert tries, "an attempt is written before the first byte"
        if row.state is S.SENDING:
            assert tries[-1].fence == row.fence

    def _check_evidence(self, row: Delivery) -> None:
        receipts = db.session.scalar(select(func.count()).where(Receipt.delivery_id == row.id)) or 0
        if row.state in ARRIVED:
            assert receipts, "every yes has its evidence"
        if row.state is S.FAILED:
            assert not self.effects[row.idem_key], "failed promises that nothing arrived"

    def _check_history(self, rows: list[Delivery]) -> None:
        """What the database noted is what happened."""
        told = db.session.execute(
            select(StatusChange.document_id, StatusChange.delivery_id, StatusChange.status)
            .where(StatusChange.document_id.in_(self.ids))
            .order_by(StatusChange.id)
        ).all()
        for row in rows:
            seen = [one.status for one in told if one.delivery_id == row.id and one.status in set(S)]
            assert all(pair in _STEPS for pair in pairwise(seen)), seen
        for document in db.session.scalars(select(Document).where(Document.id.in_(self.ids))):
            assert [one.status for one in told if one.document_id == document.id][-1] == document.status
        db.session.rollback()


@pytest.fixture
def world(partner: Any, ready: Any, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> World:
    said: list[Said] = []

    def find(self: Any, consignment: Any) -> WireReceipt | None:
        has_it = partner.effects[consignment.key]
        return WireReceipt("R", {"size": 1}, proves_arrival=True) if has_it else None

    def send(self: Any, consignment: Any) -> WireReceipt:
        if partner.replays is not Replay.SAFE or not partner.effects[consignment.key]:
            partner.effects[consignment.key] += 1
        return WireReceipt("R", {"size": 1}, proves_arrival=True)

    monkeypatch.setattr(partner, "find", find)
    monkeypatch.setattr(partner, "send", send)
    monkeypatch.setattr(partner, "effects", Counter(), raising=False)
    monkeypatch.setattr(matching, "said_by", lambda *_: list(said))

    def say(words: list[Said]) -> None:
        said[:] = words

    return World(ready, gateway.id, partner, say)


def test_whatever_happens_nothing_is_lost_or_sent_twice_and_each_yes_has_its_evidence(world, request):
    machine = type("TheMachine", (Machine,), {"world": world})
    examples = 200 if request.config.getoption("--full-matrix") else 25
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )  # fmt: skip
