from __future__ import annotations

import time

import pytest

from invoiceapp.outbound.deadline import Deadline


@pytest.fixture
def clock(monkeypatch):
    """Set ``clock[0]`` to move time."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_step_may_take_its_time_while_enough_is_left(clock):
    deadline = Deadline(60, 20)
    assert deadline.step() == 20
    clock[0] += 30
    assert deadline.step() == 20
    assert deadline.step(5) == 5
    assert deadline.step(50) == 30


def test_the_last_step_has_what_is_left(clock):
    deadline = Deadline(60, 20)
    clock[0] += 55
    assert deadline.step() == 5


@pytest.mark.parametrize("late", [60, 61])
def test_after_the_deadline_no_step_begins(clock, late):
    deadline = Deadline(60, 20)
    clock[0] += late
    with pytest.raises(TimeoutError):
        deadline.step()
