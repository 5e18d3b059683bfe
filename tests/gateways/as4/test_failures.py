"""What a broken line means: address and certificate are the register's, so nothing of it pauses the gateway."""

from __future__ import annotations

import pytest

from invoiceapp.gateways.as4 import failures
from invoiceapp.gateways.as4.ebms import SignalError
from invoiceapp.gateways.as4.exchange import ErrorAnswered
from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.outbound.errors import OutboundError, Reason, Sent
from invoiceapp.outbound.http import Answer
from invoiceapp.trust.chains import ChainError
from invoiceapp.trust.chains import Reason as Disbelief


@pytest.mark.parametrize("reason", Reason)
def test_what_did_not_leave_is_tried_again_whatever_the_reason(reason):
    found = failures.outbound_failure(OutboundError(reason))
    assert type(found) is Unavailable
    assert found.text.da and found.text.en


@pytest.mark.parametrize("reason", [Reason.CUT, Reason.TIMEOUT, Reason.TLS, Reason.NOT_UNDERSTOOD, Reason.TOO_LARGE])
def test_what_left_whole_may_have_arrived(reason):
    assert type(failures.outbound_failure(OutboundError(reason, sent=Sent.ALL))) is Unknown


def test_a_status_that_came_in_time_counts_although_its_body_did_not():
    assert type(failures.outbound_failure(OutboundError(Reason.CUT, sent=Sent.ALL, status=404))) is Unavailable
    assert type(failures.outbound_failure(OutboundError(Reason.CUT, sent=Sent.ALL, status=200))) is Unknown


def test_who_is_too_busy_says_when_to_come_back():
    found = failures.status_failure(Answer(503, {"retry-after": "120"}, b""))
    assert isinstance(found, Unavailable)
    assert found.retry_after == 120


@pytest.mark.parametrize("reason", Disbelief)
def test_only_our_own_missing_roots_pause_the_gateway(reason):
    expected = Refused if reason is Disbelief.NO_ANCHORS else Unavailable
    assert type(failures.disbelieved(ChainError(reason))) is expected


def test_what_is_final_among_several_errors_wins():
    errors = (SignalError("EBMS:0004", description="PEPPOL:NOT_SERVICED"), SignalError("EBMS:0101"))
    assert type(failures.answered(ErrorAnswered(errors))) is Rejected


def test_a_duplicate_with_something_else_beside_it_is_no_duplicate():
    both = ErrorAnswered((SignalError("EBMS:4001"), SignalError("EBMS:0102")))
    assert not failures.is_duplicate(both)
    assert failures.is_duplicate(ErrorAnswered((SignalError("EBMS:4001"),)))


def test_older_access_points_have_words_but_no_code_for_a_duplicate():
    """phase4 until 4.4."""
    said = "Message with ID 'key@as4.invoiceapp' was already handled (this is a duplicate)"
    assert failures.is_duplicate(ErrorAnswered((SignalError("EBMS:0004", description=said),)))
    assert not failures.is_duplicate(ErrorAnswered((SignalError("EBMS:0004", description="another reason"),)))
