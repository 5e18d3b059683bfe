from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from invoiceapp.domain.delivery import (
    ARRIVED,
    EXCLUSIVE,
    IN_PROGRESS,
    NEEDS_PERSON,
    RETRY_PLAN,
    DeliveryState,
    Mover,
    Replay,
    after_crash_in_sending,
    may_move,
    movers,
    next_retry,
)

#: The whole table, written down a second time: old state, new state, who.
TABLE = """
blocked          pending          converter
blocked          cancelled        person
blocked          superseded       converter
pending          leased           dispatcher
pending          blocked          dispatcher person
pending          cancelled        person
pending          superseded       dispatcher
pending          accepted         matcher
leased           pending          reaper holder
leased           sending          holder
leased           failed           holder
leased           outcome_unknown  holder
sending          accepted         holder
sending          pending          holder reaper
sending          failed           holder
sending          rejected         holder
sending          outcome_unknown  holder reaper
outcome_unknown  accepted         prober matcher person
outcome_unknown  pending          prober person
outcome_unknown  cancelled        person
outcome_unknown  superseded       person
accepted         delivered        holder dispatcher matcher prober
accepted         outcome_unknown  reaper
accepted         acknowledged     matcher
accepted         rejected         matcher
accepted         superseded       person
accepted         superseded       person
delivered        acknowledged     matcher
delivered        rejected         matcher
delivered        superseded       person
acknowledged     superseded       person
rejected         superseded       person
failed           pending          person
failed           accepted         matcher
failed           cancelled        person
failed           superseded       person
cancelled        superseded       person
"""
LEGAL = {
    (DeliveryState(old), DeliveryState(new)): {Mover(name) for name in who}
    for old, new, *who in (line.split() for line in TABLE.strip().splitlines())
}
PAIRS = [(old, new) for old in DeliveryState for new in DeliveryState]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_exactly_the_moves_of_the_table_exist(old, new):
    assert movers(old, new) == LEGAL.get((old, new), set())
    assert {mover for mover in Mover if may_move(old, new, mover)} == LEGAL.get((old, new), set())


def test_nothing_leaves_superseded_and_nothing_stays_by_a_move():
    assert not any(movers(DeliveryState.SUPERSEDED, new) for new in DeliveryState)
    assert not any(movers(state, state) for state in DeliveryState)


def test_only_a_person_takes_a_finished_delivery_anywhere_but_to_later_evidence():
    finished = (DeliveryState.ACKNOWLEDGED, DeliveryState.REJECTED, DeliveryState.CANCELLED)
    for old in finished:
        assert {(new, mover) for new in DeliveryState for mover in movers(old, new)} == {
            (DeliveryState.SUPERSEDED, Mover.PERSON)
        }


def test_only_the_holder_of_the_lease_starts_to_send():
    assert {old for old in DeliveryState if movers(old, DeliveryState.SENDING)} == {DeliveryState.LEASED}


def test_an_unknown_outcome_is_never_repeated_by_a_machine_that_did_not_ask():
    assert movers(DeliveryState.OUTCOME_UNKNOWN, DeliveryState.PENDING) == {Mover.PROBER, Mover.PERSON}
    assert not movers(DeliveryState.OUTCOME_UNKNOWN, DeliveryState.LEASED)


def test_the_groups_of_states_fit_together():
    assert not IN_PROGRESS & NEEDS_PERSON
    assert not ARRIVED & NEEDS_PERSON
    assert IN_PROGRESS | ARRIVED <= EXCLUSIVE
    assert set(DeliveryState) - EXCLUSIVE == {
        DeliveryState.REJECTED, DeliveryState.CANCELLED, DeliveryState.SUPERSEDED,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("replay", "state"),
    [
        (Replay.SAFE, DeliveryState.PENDING),
        (Replay.PROBE, DeliveryState.OUTCOME_UNKNOWN),
        (Replay.UNSAFE, DeliveryState.OUTCOME_UNKNOWN),
    ],
)
def test_a_crash_while_sending_is_repeated_only_where_the_partner_sees_it_once(replay, state):
    assert after_crash_in_sending(replay) is state


chances = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, len(RETRY_PLAN) - 1), chances)
def test_a_pause_is_within_a_fifth_of_the_plan(tries, chance):
    delay = next_retry(tries, chance=chance).delay
    assert delay is not None
    assert RETRY_PLAN[tries] * 0.8 - 1e-6 <= delay <= RETRY_PLAN[tries] * 1.2 + 1e-6


@given(st.integers(0, len(RETRY_PLAN) - 1), chances, st.floats(0, 1e9))
def test_retry_after_is_respected_within_bounds(tries, chance, retry_after):
    step = RETRY_PLAN[tries]
    own = next_retry(tries, chance=chance).delay
    delay = next_retry(tries, chance=chance, retry_after=retry_after).delay
    assert own is not None and delay is not None
    assert own <= delay <= max(2 * step, 60)
    assert delay >= min(retry_after, max(2 * step, 60))


@given(st.integers(len(RETRY_PLAN), 10_000), chances, st.none() | st.floats(0, 1e9))
def test_a_used_up_plan_never_tries_again(tries, chance, retry_after):
    assert next_retry(tries, chance=chance, retry_after=retry_after).delay is None


def test_the_plan_only_gets_slower_and_takes_under_two_days():
    assert list(RETRY_PLAN) == sorted(RETRY_PLAN)
    assert 40 * 3600 < sum(RETRY_PLAN) < 48 * 3600


class DeliveryLife(RuleBasedStateMachine):
    """Movers that try anything; the row only moves where the pure function allows it, as the compare-and-set does."""

    def __init__(self) -> None:
        super().__init__()
        self.state = DeliveryState.PENDING
        self.history: list[tuple[DeliveryState, DeliveryState, Mover]] = []

    @rule(new=st.sampled_from(DeliveryState), mover=st.sampled_from(Mover))
    def try_to_move(self, new: DeliveryState, mover: Mover) -> None:
        if may_move(self.state, new, mover):
            self.history.append((self.state, new, mover))
            self.state = new

    @precondition(lambda self: any(movers(self.state, new) for new in DeliveryState))
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        options = [(new, mover) for new in DeliveryState for mover in sorted(movers(self.state, new))]
        new, mover = data.draw(st.sampled_from(options))
        self.history.append((self.state, new, mover))
        self.state = new

    @invariant()
    def bytes_leave_only_after_a_lease(self) -> None:
        assert all(old is DeliveryState.LEASED for old, new, _ in self.history if new is DeliveryState.SENDING)

    @invariant()
    def after_arrival_nothing_is_sent_again(self) -> None:
        arrived = [i for i, (_, new, _) in enumerate(self.history) if new in ARRIVED]
        sent = [i for i, (_, new, _) in enumerate(self.history) if new is DeliveryState.SENDING]
        assert not arrived or not sent or max(sent) < min(arrived)

    @invariant()
    def superseded_is_the_end(self) -> None:
        assert all(old is not DeliveryState.SUPERSEDED for old, _, _ in self.history)

    @invariant()
    def no_machine_revives_what_a_person_must_see(self) -> None:
        for old, new, mover in self.history:
            if old is DeliveryState.FAILED and new is DeliveryState.PENDING:
                assert mover is Mover.PERSON


test_no_order_of_moves_sends_twice = DeliveryLife.TestCase
