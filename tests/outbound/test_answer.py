from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from invoiceapp.outbound.http import Answer


def answer(retry_after: str) -> Answer:
    return Answer(503, {"retry-after": retry_after}, b"")


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [("120", 120), (" 0 ", 0), ("", None), ("soon", None), ("-5", None), ("²", None), ("1.5", None), ("9" * 30, None),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)  # fmt: skip
def test_when_to_come_back(raw, seconds):
    assert answer(raw).retry_after == seconds


def test_when_to_come_back_as_a_date():
    when = datetime.now(UTC) + timedelta(minutes=10)
    for zone in ("GMT", "-0000"):
        seconds = answer(format_datetime(when, usegmt=True).replace("GMT", zone)).retry_after
        assert 500 < seconds <= 600


def test_an_answer_without_a_wish_has_none():
    assert Answer(503, {}, b"").retry_after is None
