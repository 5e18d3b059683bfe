"""A backup while workers send, restored elsewhere: nothing is sent again by itself, and all of it can be cleared up.

The other installation is on the other kind of database where there is one, in another folder, with workers of its own.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import select
from support.receivers import EmailReceiver, HttpReceiver, Receiver, SftpReceiver

from invoiceapp import create_app
from invoiceapp.config import MIGRATIONS, Config
from invoiceapp.domain.delivery import ARRIVED, DeliveryState
from invoiceapp.models import Attempt, Delivery, Receipt, db
from invoiceapp.services.export import actions, recovery
from tests.faults.worker import let_leases_pass, work_until_nothing_moves

from .conftest import Outbox
from .zygote import Zygote

S = DeliveryState
pytestmark = pytest.mark.crash
COUNT = 3
#: States that nothing moves from without a person or a receipt, and which stay as they are.
FINAL = (S.DELIVERED, S.ACKNOWLEDGED, S.REJECTED, S.CANCELLED)


@pytest.fixture
def receivers(tmp_path: Path) -> Iterator[list[Receiver]]:
    """One that recognises repetitions, one that can be asked, one that does neither."""
    with ExitStack() as stack:
        made = (SftpReceiver(tmp_path / "a"), HttpReceiver(tmp_path / "b", asked=True), EmailReceiver(tmp_path / "c"))
        yield [stack.enter_context(one) for one in made]


@pytest.fixture
def elsewhere(config: Config, tmp_path: Path) -> Callable[[], Any]:
    """``with elsewhere() as (app, environment):`` a new installation, and what a worker of it must know."""

    @contextmanager
    def begin() -> Iterator[tuple[Flask, dict[str, str]]]:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        changed = {
            "database_url": f"sqlite:///{folder / 'new.sqlite3'}", "archive_dir": folder / "archive",
            "instance_dir": folder / "instance",
        }  # fmt: skip
        app = create_app(dataclasses.replace(config, **changed))
        with app.app_context():
            yield app, {name.upper(): str(value) for name, value in changed.items()}
            db.session.remove()
            db.engine.dispose()

    return begin


@pytest.fixture
def in_every_state(make_customer: Any, make_document: Any, make_delivery: Any) -> dict[str, DeliveryState]:
    """Deliveries that nobody works on, a document each, of every state; the state by id."""
    customer = make_customer()
    made = {}
    for state in S:
        row = make_delivery(make_document(customer, state.value), state, next_at=None)
        made[row.id] = state
    return made


def stamp() -> None:
    """As if the migrations had made the tables."""
    db.session.rollback()
    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": newest})


def states() -> dict[str, DeliveryState]:
    db.session.rollback()
    found = {row.id: row.state for row in db.session.execute(select(Delivery.id, Delivery.state))}
    db.session.rollback()
    return found


def wait_for(zygote: Zygote, *pids: int) -> None:
    assert [zygote.wait(pid) for pid in pids] == [0] * len(pids)


def log_of(receivers: list[Receiver]) -> Counter[tuple[str, str]]:
    return Counter(effect for receiver in receivers for effect in receiver.effects)


def test_nothing_is_sent_again_and_all_is_cleared_up(
    app: Flask, receivers, open_gateway, outbox: Outbox, in_every_state, start, zygote, elsewhere, tmp_path
):
    stamp()
    targets = [open_gateway(one.kind, one.config()) for one in receivers]
    sent = {key: sha256 for target in targets for key, sha256 in outbox(target, COUNT).items()}
    # The partner that recognises nothing has the second of its mails and holds its answer while the backup is taken.
    mail, is_inside, may_answer = receivers[2], threading.Event(), threading.Event()

    def hold() -> None:
        if len(mail.effects) == 2:
            is_inside.set()
            may_answer.wait(60)

    mail.on_effect = hold
    at_work = [start("deliver_on"), start("deliver_on")]
    assert is_inside.wait(60)
    backup = tmp_path / "mid-run.backup"
    done = app.test_cli_runner().invoke(args=["backup", str(backup)])
    assert done.exit_code == 0, done.output
    may_answer.set()
    db.session.rollback()
    wait_for(zygote, *at_work)
    # The original carries on to its end.
    original = states()
    assert {original[key] for key in sent} <= ARRIVED
    log = log_of(receivers)
    assert len(log) == len(sent) and set(log.values()) == {1}

    with elsewhere() as (other, environment):
        done = other.test_cli_runner().invoke(args=["restore", str(backup)])
        assert done.exit_code == 0, done.output
        restored = states()
        assert set(restored) == set(original)
        unclear = {key for key, state in restored.items() if state is S.OUTCOME_UNKNOWN}
        in_flight = unclear & set(sent)
        assert in_flight, "the backup was taken in mid-run"
        for key, state in in_every_state.items():
            stays = state in (*FINAL, S.ACCEPTED, S.SUPERSEDED)
            assert restored[key] is (state if stays else S.OUTCOME_UNKNOWN)
        assert {restored[key] for key in set(sent) - in_flight} <= ARRIVED
        # Workers there have nothing to do, however long they wait.
        wait_for(zygote, start("deliver_on", **environment), start("probe", **environment))
        let_leases_pass()
        recovery.reap()
        work_until_nothing_moves()
        assert states() == restored and log_of(receivers) == log
        clear_up(in_flight, log, sent)
        assert log_of(receivers) == log
        check_books(log, sent)


def clear_up(in_flight: set[str], log: Counter[tuple[str, str]], sent: dict[str, str]) -> None:
    """A person has those asked that can be, and looks at the others' own logs."""
    arrived = {sha256 for _, sha256 in log}
    for key in sorted(in_flight):
        row = db.session.get_one(Delivery, key)
        if row.transport == "http":
            actions.ask_again(row, "ida")
        else:
            assert sent[key] in arrived
            actions.mark_received(row, "ida", "De har den; jeg har ringet.")
    db.session.rollback()
    work_until_nothing_moves()


def check_books(log: Counter[tuple[str, str]], sent: dict[str, str]) -> None:
    """All that the partners have is said to have arrived, with evidence; no more."""
    found = {key: state for key, state in states().items() if key in sent}
    assert set(found.values()) <= ARRIVED
    assert sorted(sha256 for _, sha256 in log) == sorted(sent[key] for key in found)
    for key in sent:
        assert db.session.scalars(select(Receipt.id).where(Receipt.delivery_id == key)).all()
        tries = db.session.scalars(select(Attempt).where(Attempt.delivery_id == key)).all()
        assert len(tries) <= 1, "nobody has tried again"
