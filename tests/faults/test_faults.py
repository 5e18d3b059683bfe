"""The delivery machine over lines that break and with workers that are killed: nothing lost, no duplicate, no guess.

For each kind of transport ``FAULT_SENDS`` documents (8 by default, 150 in ``make bench``) go through a proxy that
harms connections at random, from workers that end by ``kill -9`` at random moments. Then the line is well again, all
that can still be done without a person is done, and our books are compared with what the server has.

``FAULT_SEED`` chooses other faults; the moments of the kills are never the same twice.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select
from support.fault_proxy import Fault, FaultProxy, Harm, Way, at_random
from support.receivers import (
    RECEIVERS,
    AccessPointReceiver,
    As2Receiver,
    DropboxReceiver,
    ECourierReceiver,
    EmailReceiver,
    FtpReceiver,
    HttpReceiver,
    NemHandelReceiver,
    PeppolReceiver,
    Receiver,
    RecommandReceiver,
    SftpReceiver,
    SproomReceiver,
    StorecoveReceiver,
    VansReceiver,
)

from invoiceapp.domain.delivery import ARRIVED, QUESTION_PLAN, RETRY_PLAN, DeliveryState, Replay
from invoiceapp.models import Attempt, Delivery, Event, Gateway, db
from invoiceapp.models import Receipt as ReceiptRow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.export import probing, recovery

from .conftest import Outbox, StartWorker
from .worker import know, let_leases_pass, work_until_nothing_moves

S = DeliveryState
pytestmark = [pytest.mark.crash, pytest.mark.server]

SENDS = int(os.environ.get("FAULT_SENDS", "8"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
#: Those that take time less often.
HARMS = (Harm.RESET, Harm.CUT, Harm.HALF_CLOSE, Harm.REFUSE) * 2 + (Harm.STALL, Harm.SLOW)
#: Bytes after which the last connections come to harm.
MOST = 12_000
#: Of the answers to documents that took effect.
LOST = 0.15
ROUNDS = 2
#: Seconds that a partner may take.
STEP = 0.4


@dataclass(frozen=True)
class Line:
    """A receiving server, and what may happen after a lost answer."""

    receiver: Callable[[Path], Receiver]
    replay: Replay
    share: float = 0.85
    """Of the connections that come to harm; one connection carries up to a batch of deliveries"""
    least: int = 50
    """Bytes before the harm, so that not all of it strikes greetings"""


LINES = {
    "sftp": Line(SftpReceiver, Replay.SAFE, least=1_500),
    # Each file has a connection of its own besides.
    "ftp": Line(FtpReceiver, Replay.SAFE, share=0.3),
    "dropbox": Line(DropboxReceiver, Replay.SAFE),
    "vans": Line(VansReceiver, Replay.SAFE, least=1_500),
    "as2": Line(lambda folder: As2Receiver(folder, plain=True), Replay.SAFE),
    "http": Line(lambda folder: HttpReceiver(folder, dedupes=True), Replay.SAFE),
    "http-asked": Line(lambda folder: HttpReceiver(folder, asked=True), Replay.PROBE),
    "http-unsafe": Line(HttpReceiver, Replay.UNSAFE),
    "email": Line(EmailReceiver, Replay.UNSAFE),
    "sproom": Line(SproomReceiver, Replay.SAFE),
    "ecourier": Line(ECourierReceiver, Replay.PROBE),
    "storecove": Line(StorecoveReceiver, Replay.SAFE),
    "recommand": Line(RecommandReceiver, Replay.UNSAFE),
    "accesspoint": Line(AccessPointReceiver, Replay.SAFE),
    "peppol": Line(PeppolReceiver, Replay.SAFE),
    "nemhandel": Line(NemHandelReceiver, Replay.SAFE),
}


def test_every_kind_has_a_line():
    assert {name.partition("-")[0] for name in LINES} == set(RECEIVERS)


@pytest.mark.parametrize("name", LINES)
def test_nothing_is_lost_nothing_is_doubled_and_what_is_unclear_is_said_to_be(
    name: str, outbox: Outbox, start_worker: StartWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"FAULT_SENDS={SENDS} FAULT_SEED={SEED}")
    line = LINES[name]
    with line.receiver(tmp_path / "receiver") as receiver, FaultProxy(receiver.port, ftp=receiver.ftp) as proxy:
        sent = outbox(receiver.kind, receiver.config(proxy.port), SENDS)
        endpoint = receiver.endpoint(proxy.port)
        know(endpoint, monkeypatch)
        start = partial(start_worker, STEP, endpoint)
        chance = random.Random(SEED)
        proxy.plan = at_random(SEED, line.share, HARMS, line.least, MOST)
        receiver.on_effect = lambda: lose_answers(proxy, chance)
        for _ in range(ROUNDS):
            kill_at_random(start, receiver, chance)
            recover(proxy)
        for worker in [start(), start()]:
            worker.join(timeout=60 + SENDS)
            assert worker.exitcode == 0, (tmp_path / "worker.log").read_text()[-3000:]
        recover(proxy)
        proxy.heal()
        receiver.on_effect = lambda: None
        work_until_nothing_moves()
        check_books(line, receiver, sent)


def lose_answers(proxy: FaultProxy, chance: random.Random) -> None:
    """Now and then, when a document has just taken effect: the moment that a fault at random seldom meets."""
    if chance.random() < LOST:
        proxy.strike(Fault(chance.choice((Harm.RESET, Harm.CUT, Harm.HALF_CLOSE)), chance.randrange(20), Way.DOWN))


def kill_at_random(start: StartWorker, receiver: Receiver, chance: random.Random) -> None:
    """Two workers, each killed some deliveries later."""
    for worker in [start(), start()]:
        enough = len(receiver.effects) + chance.randrange(1, SENDS // (2 * ROUNDS))
        end = time.monotonic() + 30
        while len(receiver.effects) < enough and worker.is_alive() and time.monotonic() < end:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.03)
        worker.kill()
        worker.join(timeout=15)


def recover(proxy: FaultProxy) -> None:
    """As if so much time had passed that nothing of the dead is under way or held any more."""
    proxy.wait_idle()
    let_leases_pass()
    recovery.reap()


def check_books(line: Line, receiver: Receiver, sent: dict[str, str]) -> None:
    """What we say of each delivery, against what the server has."""
    db.session.rollback()
    rows = db.session.scalars(select(Delivery)).all()
    assert {row.id for row in rows} == set(sent)
    gateway = db.session.get_one(Gateway, rows[0].gateway_id)
    assert gateway.paused_at is None, gateway.paused_reason
    with gateways.open_transport(gateway) as transport:
        assert transport.replay is line.replay
    effects = Counter(receiver.effects)
    assert set(effects.values()) == {1}, "nothing takes effect twice"
    assert sorted(receiver.visible()) == sorted(sha256 for _, sha256 in effects), "nobody sees half a document"
    assert {sha256 for _, sha256 in effects} <= set(sent.values())
    for row in rows:
        attempts = db.session.scalars(select(Attempt).where(Attempt.delivery_id == row.id)).all()
        (name,) = {attempt.wire_ids[receiver.wire_id] for attempt in attempts}
        check_row(line, row, has_it=(name, sent[row.id]) in effects)
    if isinstance(receiver, HttpReceiver) and line.replay is not Replay.SAFE:
        assert max(Counter(receiver.requests).values()) == 1
    outcomes = Counter(db.session.scalars(select(Attempt.outcome)))
    print(outcomes, Counter(row.state.value for row in rows))
    assert set(outcomes) <= {"accepted", "unavailable", "unknown", None}, "a broken line is no answer of the partner"
    assert outcomes["unavailable"] + outcomes["unknown"] > 0, "the line was well"


def has_been_asked(row: Delivery) -> bool:
    """Whether the partner was asked as often as it may be, in vain."""
    asked = select(func.count()).where(Event.delivery_id == row.id, Event.kind == probing.ASKED)
    return row.next_at is None and (db.session.scalar(asked) or 0) > len(QUESTION_PLAN)


def check_row(line: Line, row: Delivery, *, has_it: bool) -> None:
    receipts = db.session.scalar(select(func.count()).where(ReceiptRow.delivery_id == row.id))
    is_used_up = row.tries >= len(RETRY_PLAN)
    if row.state in ARRIVED:
        assert has_it and receipts == 1
    elif row.state is S.OUTCOME_UNKNOWN:
        assert receipts == 0
        # Where a repetition does no harm, a person is asked only when all tries are used up, or all questions.
        assert line.replay is Replay.UNSAFE or is_used_up or (line.replay is Replay.PROBE and has_been_asked(row))
    else:
        assert row.state is S.FAILED and is_used_up and not has_it and receipts == 0
