"""Patience with a server, by way of the client that uses it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from support.outbound import LOOPBACK

from invoiceapp.sources.base import SourceUnavailable
from invoiceapp.sources.billy.client import BillyClient

pytestmark = pytest.mark.server

HTML = b"<!doctype html><title>Maintenance</title>"


def test_a_short_retry_after_is_waited_for(billy: Any, client: BillyClient, pauses: list[float]) -> None:
    billy.on("/x", billy.error(429, "", headers={"Retry-After": "7"}), {"x": {"id": "a"}})
    assert client.get_one("/x", "x") == {"id": "a"}
    assert pauses == [7]


def test_a_retry_after_as_a_date_is_understood(billy: Any, client: BillyClient, pauses: list[float]) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=12), usegmt=True)
    billy.on("/x", billy.reply(503, headers={"Retry-After": date}), {"x": {"id": "a"}})
    client.get_one("/x", "x")
    assert 10 < pauses[0] <= 12


def test_a_long_retry_after_is_left_to_the_caller(billy: Any, client: BillyClient, pauses: list[float]) -> None:
    billy.on("/x", billy.error(429, "", headers={"Retry-After": "3600"}))
    with pytest.raises(SourceUnavailable) as caught:
        client.get_one("/x", "x")
    assert caught.value.retry_after == 3600
    assert pauses == []
    assert len(billy.requests) == 1


@pytest.mark.parametrize("nonsense", ["soon", "-5", "1e9", "Wed, 99 Foo 2026"])
def test_a_senseless_retry_after_is_ignored(
    billy: Any, client: BillyClient, pauses: list[float], nonsense: str
) -> None:
    billy.on("/x", billy.reply(503, headers={"Retry-After": nonsense}), {"x": {"id": "a"}})
    client.get_one("/x", "x")
    assert len(pauses) == 1
    assert pauses[0] < 1


def test_html_with_502_is_tried_four_times_with_growing_pauses(
    billy: Any, client: BillyClient, pauses: list[float]
) -> None:
    billy.on("/x", billy.reply(502, HTML))
    with pytest.raises(SourceUnavailable) as caught:
        client.get_one("/x", "x")
    assert caught.value.retry_after is None
    assert len(billy.requests) == 4
    assert len(pauses) == 3
    assert 1 <= pauses[2] <= 3


def test_a_body_cut_by_the_connection_is_asked_for_again(billy: Any, client: BillyClient) -> None:
    whole = b'{"x": {"id": "a"}}'
    billy.on("/x", billy.reply(200, whole[:9], headers={"Content-Length": "18"}), whole)
    assert client.get_one("/x", "x") == {"id": "a"}
    assert len(billy.requests) == 2


def test_a_connection_that_always_breaks_is_unavailable(billy: Any, client: BillyClient) -> None:
    billy.on("/x", billy.reply(200, b'{"x"', headers={"Content-Length": "99"}))
    with pytest.raises(SourceUnavailable):
        client.get_one("/x", "x")
    assert len(billy.requests) == 4


def test_nobody_listening_is_unavailable(billy: Any) -> None:
    with pytest.raises(SourceUnavailable):
        BillyClient(billy.token, "http://127.0.0.1:8999", guard=LOOPBACK, sleep=lambda _: None).get_one("/x", "x")


def test_a_trickle_of_bytes_does_not_outlive_the_deadline(billy: Any) -> None:
    billy.on("/x", billy.reply(200, b'{"x": {}}' + b" " * 400, seconds_per_byte=0.02))
    client = BillyClient(billy.token, billy.url, guard=LOOPBACK, timeout=0.3, tries=1)
    start = time.monotonic()
    with pytest.raises(SourceUnavailable, match="timeout"):
        client.get_one("/x", "x")
    assert time.monotonic() - start < 1
    client.close()


class Turns:
    """A pace that a test keeps."""

    def __init__(self, *waits: float) -> None:
        self.waits, self.held = list(waits), []

    def reserve(self, most: float) -> float:
        return self.waits.pop(0) if self.waits else 0

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)


@pytest.fixture
def paced(billy: Any, pauses: list[float]) -> Iterator[Callable[[Turns], BillyClient]]:
    """``paced(turns)``: a client that keeps this pace."""
    with ExitStack() as stack:

        def opened(turns: Turns) -> BillyClient:
            client = BillyClient(billy.token, billy.url, guard=LOOPBACK, sleep=pauses.append, timeout=2, pace=turns)
            stack.callback(client.close)
            return client

        yield opened


def test_each_try_waits_for_its_turn_also_one_for_a_pdf(billy: Any, paced: Any, pauses: list[float]) -> None:
    billy.on("/x", billy.reply(502, HTML), {"x": {"id": "a"}})
    billy.on("/1.pdf", b"%PDF")
    client = paced(Turns(0.25, 0.5, 0.75))
    client.get_one("/x", "x")
    client.download(f"{billy.url}/1.pdf")
    assert [pauses[0], *pauses[2:]] == [0.25, 0.5, 0.75] and len(pauses) == 4


@pytest.mark.parametrize("seconds", [7, 3600])
def test_all_are_told_when_billy_asks_one_to_wait(billy: Any, paced: Any, seconds: int) -> None:
    billy.on("/x", billy.error(429, "", headers={"Retry-After": str(seconds)}), {"x": {"id": "a"}})
    turns = Turns()
    with suppress(SourceUnavailable):
        paced(turns).get_one("/x", "x")
    assert turns.held == [seconds]


def test_nobody_else_is_held_up_by_an_answer_that_only_failed(billy: Any, paced: Any) -> None:
    billy.on("/x", billy.reply(503, HTML, headers={"Retry-After": "7"}), {"x": {"id": "a"}})
    turns = Turns()
    paced(turns).get_one("/x", "x")
    assert turns.held == []


def test_what_billy_asked_another_to_wait_for_long_is_not_asked_at_all(
    billy: Any, paced: Any, pauses: list[float]
) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        paced(Turns(3600)).get_one("/x", "x")
    assert caught.value.retry_after == 3600 and (billy.requests, pauses) == ([], [])
