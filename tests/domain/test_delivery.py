from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from invoiceapp.domain.delivery import (
    ARRIVED,
    EXCLUSIVE,
    IN_PROGRESS,
    NEEDS_PERSON,
    NOES,
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
blocked          outcome_unknown  restorer
pending          leased           dispatcher
pending          blocked          dispatcher person
pending          cancelled        person
pending          failed           person
pending          superseded       dispatcher
pending          accepted         matcher
pending          outcome_unknown  restorer
leased           pending          reaper holder
leased           sending          holder
leased           failed           holder
leased           outcome_unknown  holder restorer
sending          accepted         holder
sending          pending          holder reaper
sending          failed           holder
sending          rejected         holder
sending          outcome_unknown  holder reaper restorer
outcome_unknown  accepted         prober matcher person
outcome_unknown  pending          prober person
outcome_unknown  cancelled        person
outcome_unknown  superseded       person
accepted         delivered        holder dispatcher matcher prober
accepted         outcome_unknown  reaper restorer
accepted         acknowledged     matcher
accepted         rejected         matcher
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
failed           outcome_unknown  restorer
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
    def what_has_arrived_is_sent_again_only_after_somebody_asked(self) -> None:
        """Nobody knows any more where its later receipt never came; then the partner is asked, or a person decides."""
        has_arrived = False
        for old, new, mover in self.history:
            if old is DeliveryState.OUTCOME_UNKNOWN and new is DeliveryState.PENDING:
                assert mover in (Mover.PROBER, Mover.PERSON)
                has_arrived = False
            has_arrived = has_arrived or new in ARRIVED
            assert not (has_arrived and new is DeliveryState.SENDING)

    @invariant()
    def superseded_is_the_end(self) -> None:
        assert all(old is not DeliveryState.SUPERSEDED for old, _, _ in self.history)

    @invariant()
    def no_machine_revives_what_a_person_must_see(self) -> None:
        for old, new, mover in self.history:
            if old is DeliveryState.FAILED and new is DeliveryState.PENDING:
                assert mover is Mover.PERSON


test_no_order_of_moves_sends_twice = DeliveryLife.TestCase


class ToldByItsParts(RuleBasedStateMachine):
    """A delivery whose next state is what the pure functions say: however it goes on, it takes effect once at most."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.tries, self.noes = DeliveryState.PENDING, 0, 0
        self.effects = 0
        self.is_in_doubt = self.has_sent = False

    @initialize(replay=st.sampled_from((Replay.UNSAFE, Replay.PROBE, Replay.SAFE)))
    def begin(self, replay: Replay) -> None:
        self.replay = replay

    def go(self, new: DeliveryState, by: Mover) -> None:
        assert may_move(self.state, new, by), (self.state, new, by)
        self.state = new

    @precondition(lambda self: self.state is DeliveryState.PENDING)
    @rule()
    def is_leased_and_begun(self) -> None:
        self.go(DeliveryState.LEASED, Mover.DISPATCHER)
        self.go(DeliveryState.SENDING, Mover.HOLDER)
        self.tries, self.has_sent = self.tries + 1, False

    @precondition(lambda self: self.state is DeliveryState.SENDING and not self.has_sent)
    @rule()
    def bytes_leave(self) -> None:
        self.has_sent = True
        self.effects += self.replay is not Replay.SAFE or not self.effects

    @precondition(lambda self: self.state is DeliveryState.SENDING)
    @rule(is_a_crash=st.booleans())
    def no_answer_comes(self, is_a_crash: bool) -> None:
        self.is_in_doubt, self.noes = True, 0
        after = after_crash_in_sending(self.replay)
        if next_retry(self.tries, chance=0.5).delay is None:
            after = DeliveryState.OUTCOME_UNKNOWN
        self.go(after, Mover.REAPER if is_a_crash else Mover.HOLDER)

    @precondition(lambda self: self.state is DeliveryState.SENDING and not self.has_sent)
    @rule(chance=chances)
    def it_provably_did_not_leave(self, chance: float) -> None:
        is_over = next_retry(self.tries, chance=chance).delay is None
        over = DeliveryState.OUTCOME_UNKNOWN if self.is_in_doubt else DeliveryState.FAILED
        self.go(over if is_over else DeliveryState.PENDING, Mover.HOLDER)

    @precondition(lambda self: self.state is DeliveryState.SENDING and self.has_sent)
    @rule()
    def a_yes_comes(self) -> None:
        self.go(DeliveryState.ACCEPTED, Mover.HOLDER)

    @precondition(lambda self: self.state is DeliveryState.OUTCOME_UNKNOWN and self.replay is Replay.PROBE)
    @rule()
    def the_partner_is_asked(self) -> None:
        if self.effects:
            self.go(DeliveryState.ACCEPTED, Mover.PROBER)
            return
        self.noes += 1
        if self.noes >= NOES:
            self.go(DeliveryState.PENDING, Mover.PROBER)
            self.noes = 0

    @precondition(lambda self: self.state is DeliveryState.OUTCOME_UNKNOWN and self.effects)
    @rule()
    def a_receipt_comes(self) -> None:
        self.go(DeliveryState.ACCEPTED, Mover.MATCHER)

    @rule()
    def nobody_does_anything(self) -> None:
        """What is over, or waits for a person, stays as it is."""

    @invariant()
    def it_takes_effect_once_at_most(self) -> None:
        assert self.effects <= 1

    @invariant()
    def what_has_failed_never_arrived_and_what_is_accepted_has(self) -> None:
        assert self.state is not DeliveryState.FAILED or not self.effects
        assert self.state is not DeliveryState.ACCEPTED or self.effects == 1

    @invariant()
    def only_questions_that_were_answered_go_beyond_the_plan(self) -> None:
        assert self.tries <= len(RETRY_PLAN) or self.replay is Replay.PROBE


test_no_order_of_answers_takes_effect_twice = ToldByItsParts.TestCase
ToldByItsParts.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
DeliveryLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
