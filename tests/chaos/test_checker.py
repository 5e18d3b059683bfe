"""The checker of the chaos run, on forged books: each kind of lie must be found, and honest books must pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaos.checker import Entry, Planned, Result, Sending, Try, Verdict, compare
from chaos.ledger import Ledger, Line, lines
from invoiceapp.domain.delivery import DeliveryState

S = DeliveryState
ACCEPTED = (Try("key-1", "accepted"),)
SENT = Sending("d1", "http-blind", S.DELIVERED, "sha-1", ACCEPTED, ("wire",))
TAKEN = Line("http-blind", "key-1", "sha-1", True, "taken", 10.0)


def judged(sending: Sending | None, *written: Line, statuses: tuple[str, ...] = ()) -> Result:
    """The result for one planned document."""
    sendings = (sending,) if sending else ()
    return compare([Planned("1", "http-blind")], [Entry("a", "1", sendings, statuses)], written)


def verdict(result: Result) -> Verdict:
    (one,) = result.documents
    return one.verdict


def test_honest_books_agree():
    result = judged(SENT, TAKEN, statuses=("converted", "pending", "accepted", "delivered"))
    assert verdict(result) is Verdict.OK and result.is_good and result.violations == []


def test_a_document_that_is_in_no_books_is_lost():
    result = compare([Planned("1", "http-blind")], [], [])
    assert verdict(result) is Verdict.LOST and not result.is_good


def test_a_document_without_a_delivery_is_lost_unless_it_is_still_to_be_converted():
    assert verdict(judged(None, statuses=("queued", "listed"))) is Verdict.LOST
    assert verdict(judged(None, statuses=("listed", "queued"))) is Verdict.STUCK


@pytest.mark.parametrize("state", [S.CANCELLED, S.SUPERSEDED])
def test_what_nobody_has_ended_and_is_over_is_lost(state: S):
    assert verdict(judged(replace(SENT, state=state, tries=(), receipts=()))) is Verdict.LOST


@pytest.mark.parametrize("state", list(S))
def test_two_effects_are_a_duplicate_whatever_we_say_of_it(state: S):
    twice = replace(SENT, state=state, tries=(*ACCEPTED, Try("key-1", "unknown")))
    result = judged(twice, TAKEN, TAKEN)
    assert verdict(result) is Verdict.DUPLICATE and not result.is_good


def test_one_effect_under_each_of_two_names_is_a_duplicate():
    result = judged(replace(SENT, tries=(*ACCEPTED, Try("key-2", "unknown"))), TAKEN, replace(TAKEN, key="key-2"))
    assert verdict(result) is Verdict.DUPLICATE


def test_a_document_that_we_have_twice_is_a_duplicate():
    entry = Entry("a", "1", (SENT,))
    result = compare([Planned("1", "http-blind")], [entry, replace(entry, id="b")], [TAKEN])
    assert verdict(result) is Verdict.DUPLICATE


def test_a_repetition_that_the_partner_recognises_is_none():
    result = judged(
        replace(SENT, tries=(Try("key-1", "unknown"), *ACCEPTED)), TAKEN, replace(TAKEN, takes_effect=False)
    )
    assert verdict(result) is Verdict.OK and result.is_good


@pytest.mark.parametrize("state", [S.ACCEPTED, S.DELIVERED, S.ACKNOWLEDGED])
def test_an_acceptance_of_which_the_partner_knows_nothing_is_false(state: S):
    result = judged(replace(SENT, state=state))
    assert verdict(result) is Verdict.FALSE_ACCEPTED
    assert result.violations == ["1: http-blind has nothing of a try that was accepted"]


def test_an_acceptance_of_what_the_partner_has_refused_is_false():
    assert verdict(judged(SENT, replace(TAKEN, takes_effect=False, answer="refused"))) is Verdict.FALSE_ACCEPTED


@pytest.mark.parametrize("state", [S.FAILED, S.REJECTED, S.CANCELLED])
def test_a_no_to_what_has_arrived_is_false(state: S):
    assert verdict(judged(replace(SENT, state=state), TAKEN)) is Verdict.FALSE_REJECTED


def test_a_rejection_that_the_partner_has_never_spoken_is_false():
    row = replace(SENT, state=S.REJECTED, tries=(Try("key-1", "rejected"),), receipts=())
    busy = replace(TAKEN, takes_effect=False, answer="busy")
    assert verdict(judged(row, busy)) is Verdict.FALSE_REJECTED
    assert verdict(judged(row, replace(busy, answer="refused"))) is Verdict.REFUSED


def test_what_failed_and_did_not_arrive_is_given_up():
    result = judged(replace(SENT, state=S.FAILED, tries=(Try("key-1", "unavailable"),), receipts=()))
    assert verdict(result) is Verdict.GIVEN_UP and result.is_good


@pytest.mark.parametrize(("written", "expected"), [((TAKEN,), Verdict.UNKNOWN_ARRIVED), ((), Verdict.UNKNOWN_MISSING)])
def test_an_unknown_is_listed_with_what_is_true(written: tuple[Line, ...], expected: Verdict):
    row = replace(SENT, state=S.OUTCOME_UNKNOWN, tries=(Try("key-1", "unknown"),), receipts=())
    result = judged(row, *written)
    assert verdict(result) is expected and result.is_good
    assert verdict(judged(replace(row, is_asked=True), *written)) is Verdict.STUCK


@pytest.mark.parametrize("state", [S.BLOCKED, S.PENDING, S.LEASED, S.SENDING])
def test_what_is_still_on_its_way_at_the_end_is_stuck(state: S):
    assert verdict(judged(replace(SENT, state=state, tries=(), receipts=()))) is Verdict.STUCK


def test_other_bytes_than_ours_are_damage():
    assert verdict(judged(SENT, replace(TAKEN, sha256="other"))) is Verdict.DAMAGED


def test_an_acceptance_needs_evidence():
    assert judged(replace(SENT, receipts=()), TAKEN).violations == ["1: delivered without evidence"]


def test_the_partner_may_not_see_more_sendings_than_we_have_tries():
    again = replace(TAKEN, takes_effect=False)
    assert judged(SENT, TAKEN, again).violations == ["1: http-blind saw 2 sendings, our books have 1"]


def test_what_no_attempt_names_is_told():
    foreign = replace(TAKEN, key="never-noted")
    assert judged(SENT, TAKEN, foreign).violations == ["http-blind saw never-noted, which no attempt of ours names"]


def test_two_active_deliveries_to_one_partner_are_told():
    entry = Entry("a", "1", (SENT, replace(SENT, id="d2", state=S.PENDING, tries=(), receipts=())))
    result = compare([Planned("1", "http-blind")], [entry], [TAKEN])
    assert result.violations == ["1: 2 active deliveries to http-blind"]


@pytest.mark.parametrize(
    ("statuses", "illegal"),
    [
        (("pending", "outcome_unknown", "accepted", "delivered"), None),
        (("queued", "pending", "failed", "pending", "accepted"), None),
        (("pending", "delivered"), "pending to delivered"),
        (("delivered", "pending"), "delivered to pending"),
        (("rejected", "accepted"), "rejected to accepted"),
    ],
)
def test_a_history_that_leaves_the_table_is_told(statuses: tuple[str, ...], illegal: str | None):
    expected = [f"1: moved from {illegal}"] if illegal else []
    assert judged(SENT, TAKEN, statuses=statuses).violations == expected


def test_a_credit_note_before_its_invoice_is_told():
    note = Sending("d2", "http-blind", S.DELIVERED, "sha-2", (Try("key-2", "accepted"),), ("wire",))
    entries = [Entry("a", "1", (SENT,)), Entry("b", "2", (note,), credits="1")]
    plan = [Planned("1", "http-blind"), Planned("2", "http-blind")]
    early, late = (replace(TAKEN, key="key-2", sha256="sha-2", at=at) for at in (9.0, 11.0))
    assert compare(plan, entries, [TAKEN, early]).violations == ["2: took effect before 1, which it takes back"]
    assert compare(plan, entries, [TAKEN, late]).is_good


def test_a_credit_note_waits_with_an_invoice_of_which_nobody_knows():
    unknown = replace(SENT, state=S.OUTCOME_UNKNOWN, tries=(Try("key-1", "unknown"),), receipts=())
    note = Sending("d2", "http-blind", S.PENDING, "sha-2")
    entries = [Entry("a", "1", (unknown,)), Entry("b", "2", (note,), credits="1")]
    plan = [Planned("1", "http-blind"), Planned("2", "http-blind")]
    result = compare(plan, entries, [TAKEN])
    assert [one.verdict for one in result.documents] == [Verdict.UNKNOWN_ARRIVED, Verdict.WAITS] and result.is_good


def test_the_ledger_gives_back_what_was_noted(tmp_path):
    assert list(lines(tmp_path / "none")) == []
    path = tmp_path / "ledger"
    for answer in ("taken", "again"):
        Ledger(path).note("mail", "<id@host>", "sha", answer == "taken", answer)
    found = list(lines(path))
    assert [(one.key, one.takes_effect, one.answer) for one in found] == [
        ("<id@host>", True, "taken"),
        ("<id@host>", False, "again"),
    ]
