"""What statuses and broken conversations mean."""

from __future__ import annotations

import pytest

from invoiceapp.gateways.as2.failures import outbound_failure, status_failure
from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.outbound.errors import OutboundError, Reason, Sent
from invoiceapp.outbound.http import Answer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OutboundError(Reason.NAME_UNKNOWN), Unavailable),
        (OutboundError(Reason.CLOSED), Unavailable),
        (OutboundError(Reason.CUT, sent=Sent.PART), Unavailable),
        (OutboundError(Reason.CUT, sent=Sent.ALL), Unknown),
        (OutboundError(Reason.TIMEOUT, sent=Sent.ALL), Unknown),
        (OutboundError(Reason.NOT_UNDERSTOOD, sent=Sent.ALL), Unknown),
        (OutboundError(Reason.CERTIFICATE), Refused),
        (OutboundError(Reason.BLOCKED_ADDRESS), Refused),
        (OutboundError(Reason.TOO_LARGE, sent=Sent.ALL, status=200), Unknown),
        (OutboundError(Reason.CUT, sent=Sent.ALL, status=404), Refused),
        (OutboundError(Reason.CUT, sent=Sent.ALL, status=422), Rejected),
    ],
    ids=str,
)
def test_every_broken_conversation_means_one_thing(error, kind):
    assert type(outbound_failure(error)) is kind


@pytest.mark.parametrize("status", [100, 199, 302, 307, 418, 451, 599, 999])
def test_any_number_is_one_of_the_four(status):
    failure = status_failure(Answer(status, {}, b"secret body"))
    assert type(failure) in (Refused, Rejected, Unavailable, Unknown)
    assert "secret" not in f"{failure.text}{failure.detail}"
