"""One run at a time, and one more that was asked for meanwhile."""

from __future__ import annotations

import pytest

from invoiceapp.models import Run, db
from invoiceapp.services.export import run_queue, run_reading, runs

pytestmark = pytest.mark.server


def test_what_is_asked_for_while_a_run_reads_is_fetched_as_soon_as_it_ends(activated, billy):
    run = runs.start(activated.id, trigger="schedule")
    token = runs._claim(run.id)
    assert run_queue.ask_again(activated.id, "anna@nordlys.dk") and run_queue.ask_again(activated.id, "bo@nordlys.dk")
    run_reading.read(run.id, token)
    again = run_queue.active(activated.id)
    assert (again.id != run.id, again.trigger, again.actor) == (True, "manual", "bo@nordlys.dk")
    billy.api.store.book_random()
    runs.execute(again.id)
    db.session.expire_all()
    assert db.session.get_one(Run, again.id).queued == 1 and run_queue.active(activated.id) is None


def test_a_run_that_fails_is_followed_too(activated, monkeypatch):
    run = runs.start(activated.id, trigger="schedule")
    token = runs._claim(run.id)
    run_queue.ask_again(activated.id, "anna@nordlys.dk")
    runs._fail(run.id, token, {"da": "Afbrudt", "en": "Broken off"})
    assert run_queue.active(activated.id).actor == "anna@nordlys.dk"


def test_a_run_that_waits_for_its_turn_reads_what_is_asked_for_meanwhile(activated):
    run = runs.start(activated.id, trigger="schedule")
    assert run_queue.ask_again(activated.id, "anna@nordlys.dk")
    runs.execute(run.id)
    assert run_queue.active(activated.id) is None and not run_queue.ask_again(activated.id, "anna@nordlys.dk")
