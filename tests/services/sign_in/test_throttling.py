from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from invoiceapp.models import SignInFailure, SignInKind, User, db, utcnow
from invoiceapp.services.sign_in import sessions, throttling
from invoiceapp.services.sign_in.throttling import Kind, Throttled

HOME, AWAY = "192.0.2.1", "198.51.100.9"


@pytest.fixture
def has_pages() -> bool:
    return False


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, app: Flask) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttling, "utcnow", lambda: clock.now)
    return clock


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = utcnow()

    def move(self, **passed: float) -> None:
        self.now += timedelta(**passed)


def _wait(account: str | None, address: str = HOME, kind: Kind = "login") -> float:
    try:
        throttling.check(kind, account=account, address=address)
    except Throttled as refused:
        return refused.wait.total_seconds()
    return 0


def _fail(account: str | None, address: str = HOME, times: int = 1, kind: Kind = "login") -> None:
    for _ in range(times):
        throttling.failed(kind, account=account, address=address)


def test_waiting_grows_with_every_failure_and_ends_in_a_lock(clock: Clock) -> None:
    waits = []
    for _ in range(10):
        _fail("a@example.com")
        waits.append(_wait("a@example.com"))
    assert waits == [0, 0, 0, 0, 2, 4, 8, 16, 32, 900]
    clock.move(minutes=15)
    assert _wait("a@example.com") == 0
    _fail("a@example.com")
    assert _wait("a@example.com") == 900


def test_the_next_day_counting_starts_anew(clock: Clock) -> None:
    _fail("a@example.com", times=10)
    clock.move(days=1, seconds=1)
    _fail("a@example.com")
    assert _wait("a@example.com") == 0


def test_unknown_accounts_are_throttled_like_known_ones(user: User) -> None:
    for email in (user.email, "ukendt@example.com"):
        _fail(email.upper() + " ", AWAY, times=7)
    assert _wait(user.email, AWAY) == _wait("ukendt@example.com", AWAY) == 8


def test_the_table_names_no_account_and_no_address(user: User) -> None:
    _fail(user.email)
    texts = [row.key for row in db.session.scalars(select(SignInFailure))]
    assert len(texts) == 3
    assert not any(user.email in text or HOME in text for text in texts)


def test_one_account_from_many_addresses_is_locked(clock: Clock) -> None:
    for number in range(10):
        _fail("a@example.com", f"198.51.100.{number}")
    assert _wait("a@example.com", "203.0.113.1") == 900
    assert _wait("b@example.com", "203.0.113.1") == 0


def test_who_locks_an_account_from_elsewhere_does_not_lock_the_person_out_at_home(user: User) -> None:
    sessions.sign_out(sessions.begin(user.id, SignInKind.PASSWORD, HOME, ""))
    _fail(user.email, AWAY, times=10)
    assert _wait(user.email, AWAY) == 900
    assert _wait(user.email, HOME) == 0
    _fail(user.email, HOME, times=10)
    assert _wait(user.email, HOME) == 900


def test_success_at_home_gives_nobody_elsewhere_new_tries(user: User) -> None:
    sessions.begin(user.id, SignInKind.PASSWORD, HOME, "")
    _fail(user.email, AWAY, times=10)
    throttling.succeeded("login", account=user.email, address=HOME)
    assert _wait(user.email, AWAY) == 900


def test_where_addresses_are_not_known_nobody_is_locked_for_others(user: User) -> None:
    sessions.begin(user.id, SignInKind.PASSWORD, None, "")
    for number in range(55):
        throttling.failed("login", account=f"{number}@example.com", address=None)
    throttling.check("login", account=user.email, address=None)


def test_many_accounts_from_one_address_lock_the_address_only(clock: Clock) -> None:
    for number in range(50):
        _fail(f"{number}@example.com", "2001:db8::1")
    assert _wait("new@example.com", "2001:db8::ffff") == 900
    assert _wait("new@example.com", AWAY) == 0


def test_success_clears_the_account_and_not_the_address() -> None:
    _fail("a@example.com", times=20)
    throttling.succeeded("login", account="a@example.com", address=HOME)
    assert _wait("a@example.com", AWAY) == 0
    assert _wait("a@example.com", HOME) == 2


def test_a_flood_from_everywhere_slows_strangers_and_locks_nobody(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "_INSTALLATION", replace(throttling._INSTALLATION, free=10))
    sessions.begin(user.id, SignInKind.PASSWORD, HOME, "")
    for number in range(30):
        _fail(f"{number}@example.com", f"198.51.100.{number}")
    assert _wait("new@example.com", "203.0.113.1") == 2
    assert _wait(user.email, "203.0.113.1") == 2
    assert _wait(user.email, HOME) == 0


def test_what_is_tried_is_counted_apart_and_tokens_need_no_account() -> None:
    _fail(None, times=50, kind="invitation")
    assert _wait(None, kind="invitation") == 900
    assert _wait(None, kind="token") == 0
    assert _wait("a@example.com") == 0


def test_nobody_makes_us_send_a_person_many_mails() -> None:
    _fail("a@example.com", times=5, kind="reset")
    assert _wait("a@example.com", AWAY, kind="reset") == 3 * 3600


def test_failures_at_the_same_moment_are_all_counted(app: Flask) -> None:
    def fail() -> None:
        with app.app_context():
            _fail("a@example.com")

    threads = [threading.Thread(target=fail) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(db.session.scalars(select(SignInFailure.failures))) == {6}


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.5, "Vent 1 sekund,"), (59.1, "Vent 60 sekunder"), (61, "om 2 minutter")]
)
def test_the_person_reads_how_long_to_wait(seconds: float, words: str) -> None:
    assert words in Throttled(timedelta(seconds=seconds)).text.da


def test_counts_are_forgotten_when_they_no_longer_matter(clock: Clock) -> None:
    _fail("a@example.com")
    clock.move(days=1)
    assert throttling.forget_old() == 0
    clock.move(days=1, seconds=1)
    assert throttling.forget_old() == 3
