"""Workers that die at every step of every transport: nothing is lost, nothing takes effect twice, and doubt is shown.

In the usual run each step meets a transport of each kind of replay, and each transport meets the steps that hurt most;
with ``--full-matrix`` each step meets each transport.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from support.receivers import RECEIVERS, Receiver
from support.responses import response

from invoiceapp.domain.delivery import ARRIVED, DeliveryState, Replay
from invoiceapp.gateways.base import Incoming, registry
from invoiceapp.models import Gateway, IncomingMessage, IncomingState, Receipt, db
from invoiceapp.services.configuration import gateways
from invoiceapp.services.export import recovery
from invoiceapp.services.receipts import matching, storing
from invoiceapp.services.receipts.reading import ASKED_ABOUT
from tests.faults.test_faults import LINES
from tests.faults.worker import know, let_leases_pass, work_until_nothing_moves

from . import books, steps
from .conftest import Outbox
from .steps import DEAD, DELIVERING, FOUND, MATCHING, NOT_FOUND, POLLING
from .zygote import Zygote

S = DeliveryState
pytestmark = pytest.mark.crash

#: The partner has it and nobody was told: the step that hurts most.
WORST = "before_the_answer"
ASKED = [name for name, line in LINES.items() if line.replay is Replay.PROBE]
POLLED = [name for name in LINES if registry()[name.partition("-")[0]].polls]
#: Test: transports, steps, and in the usual run the transports that meet all steps and the steps that meet all transports.
CASES = {
    "test_a_delivery": (LINES, DELIVERING, {"http", "http-asked", "email"}, {WORST, "amid_the_bytes"}),
    "test_a_question_about_what_arrived": (ASKED, FOUND, {"http-asked"}, {"in_found"}),
    "test_a_question_about_what_did_not_arrive": (ASKED, NOT_FOUND, {"http-asked"}, {"in_sending_again"}),
    "test_a_question_about_the_status": (POLLED, POLLING, {"sproom"}, {"in_applying_the_status"}),
    "test_a_receipt": (["sproom"], MATCHING, {"sproom"}, set()),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``name`` and ``step`` of the cases that this run is to have."""
    test = metafunc.function.__name__.partition("_survives")[0]
    if test not in CASES:
        return
    names, points, all_steps, all_names = CASES[test]
    cases = [(name, step) for name in names for step in points]
    if not metafunc.config.getoption("--full-matrix"):
        few = {WORST} if metafunc.config.getoption("--database") == "postgresql" else all_names
        cases = [(name, step) for name, step in cases if name in all_steps or step in few]
    metafunc.parametrize(("name", "step"), cases)


def test_each_kind_that_sends_has_its_crash_points():
    choosing = {kind for kind, transport in registry().items() if not transport.sends}
    assert choosing == {"network"}, "it sends through others"
    assert {name.partition("-")[0] for name in LINES} == set(RECEIVERS) == set(registry()) - choosing
    assert {LINES[name].replay for name in CASES["test_a_delivery"][2]} == set(Replay)
    asking = {kind for kind, transport in registry().items() if transport.polls}
    assert {name.partition("-")[0] for name in POLLED} == asking


@pytest.fixture
def receiver(name: str, tmp_path: Path) -> Iterator[Receiver]:
    with LINES[name].receiver(tmp_path / "receiver") as receiver:
        yield receiver


@pytest.fixture
def gateway_to(receiver: Receiver, open_gateway: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch) -> Gateway:
    know(receiver.endpoint(receiver.port), monkeypatch)
    return open_gateway(receiver.kind, receiver.config())


@pytest.fixture
def die(receiver: Receiver, start: Callable[..., int], zygote: Zygote, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """``die(work, step)``: a worker process that is gone at that step."""
    dead = threading.Event()

    def run(work: str, step: str) -> None:
        is_started, pids = threading.Event(), []

        def kill() -> None:
            receiver.on_effect = lambda: None
            is_started.wait(30)
            os.kill(pids[0], signal.SIGKILL)
            # The answer does not leave before its reader is gone.
            dead.wait(30)

        if step == WORST:
            receiver.on_effect = kill
        pids.append(start(work, step, receiver.kind, receiver.endpoint(receiver.port)))
        is_started.set()
        ended = zygote.wait(pids[0])
        dead.set()
        said = (tmp_path / "worker.log").read_text()[-3000:]
        assert ended == (-signal.SIGKILL if step == WORST else DEAD), f"it should have died at {step}:\n{said}"

    yield run
    dead.set()


def reap() -> None:
    let_leases_pass()
    recovery.reap()


def test_a_delivery_survives_the_death_of_its_worker(name, step, receiver, gateway_to, outbox: Outbox, die):
    point, replay = DELIVERING[step], LINES[name].replay
    with gateways.open_transport(gateway_to) as transport:
        assert transport.replay is replay
    sent = outbox(gateway_to, 2)
    die("deliver", step)
    reap()
    hit, other = books.rows()
    assert other.state is S.PENDING and other.tries == 0, "what was only leased goes back"
    if point.doubt:
        assert hit.state is (S.PENDING if replay is Replay.SAFE else S.OUTCOME_UNKNOWN)
        assert (hit.next_at is None) == (replay is Replay.UNSAFE), "who can be asked, or told again, will be"
        assert (hit.error is None) == (replay is Replay.SAFE)
    work_until_nothing_moves()
    books.compare(receiver, sent)
    hit, other = books.rows()
    assert other.state in ARRIVED and len(books.attempts_of(other.id)) == 1
    if point.doubt and replay is Replay.UNSAFE:
        assert hit.state is S.OUTCOME_UNKNOWN and len(books.attempts_of(hit.id)) == 1
        assert point.arrived is None or len(receiver.effects) == 1 + point.arrived
        return
    assert hit.state in ARRIVED and len(receiver.effects) == 2
    is_repeated = point.doubt and (replay is Replay.SAFE or point.arrived is False)
    if point.arrived is not None:
        assert len(books.attempts_of(hit.id)) == 1 + is_repeated


def test_a_question_about_what_arrived_survives_the_death_of_who_asks(
    name, step, receiver, gateway_to, outbox: Outbox, die
):
    sent = outbox(gateway_to, 1)
    die("deliver", "after_the_answer")
    reap()
    die("probe", step)
    reap()
    work_until_nothing_moves()
    (row,) = books.rows()
    assert row.state in ARRIVED and len(books.attempts_of(row.id)) == 1
    books.compare(receiver, sent)


def test_a_question_about_what_did_not_arrive_survives_the_death_of_who_asks(
    name, step, receiver, gateway_to, outbox: Outbox, die
):
    sent = outbox(gateway_to, 1)
    die("deliver", "before_the_first_byte")
    reap()
    die("probe", step)
    reap()
    work_until_nothing_moves()
    (row,) = books.rows()
    assert row.state in ARRIVED and len(books.attempts_of(row.id)) == 2
    books.compare(receiver, sent)


def test_a_question_about_the_status_survives_the_death_of_who_asks(
    name, step, receiver, gateway_to, outbox: Outbox, die, start, zygote
):
    sent = outbox(gateway_to, 1)
    assert zygote.wait(start("deliver", "", receiver.kind)) == 0
    die("poll", step)
    steps.WORK["poll"]()
    (row,) = books.rows()
    assert row.state in ARRIVED and row.polls == 2 and row.lease_owner is None
    assert len(books.attempts_of(row.id)) == 1
    books.compare(receiver, sent)


def test_a_receipt_survives_the_death_of_who_reads_it(
    name, step, receiver, gateway_to, outbox: Outbox, die, start, zygote
):
    sent = outbox(gateway_to, 1)
    assert zygote.wait(start("deliver", "", receiver.kind)) == 0
    (row,) = books.rows()
    about = {ASKED_ABOUT: row.id}
    answer = response("BusinessAccept", reference=row.document.number)
    message_id = storing.keep(gateway_to, Incoming("svar.xml", answer, about)).id
    die("match", step)
    matching.match_waiting()
    (row,) = books.rows()
    assert row.state is S.ACKNOWLEDGED
    assert db.session.get_one(IncomingMessage, message_id).state is IncomingState.MATCHED
    assert len(db.session.scalars(select(Receipt.id).where(Receipt.delivery_id == row.id)).all()) == 2
    books.compare(receiver, sent)


@pytest.mark.parametrize("name", ["sftp"])
def test_worker_after_worker_dies_and_all_arrives_once(name, receiver, gateway_to, outbox: Outbox, die):
    sent = outbox(gateway_to, 4)
    for step in ("after_the_answer", "in_accept", "amid_the_bytes"):
        die("deliver", step)
        reap()
    work_until_nothing_moves()
    assert {row.state for row in books.rows()} == {S.DELIVERED}
    assert sum(row.tries for row in books.rows()) == len(sent) + 3
    books.compare(receiver, sent)
