from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from invoiceapp.models import Ending, SignInKind, SignInSession, User, db, new_id, utcnow
from invoiceapp.services.people.access import NotYours
from invoiceapp.services.sign_in import sessions
from invoiceapp.services.sign_in.networks import network
from invoiceapp.services.sign_in.sessions import SignedOut


@pytest.fixture
def has_pages() -> bool:
    return False


def _begin(user: User, agent: str = "Firefox", address: str = "192.0.2.1", replaced: str | None = None) -> str:
    return sessions.begin(user.id, SignInKind.PASSWORD, address, agent, replaced=replaced)


def _rows() -> list[SignInSession]:
    return list(db.session.scalars(select(SignInSession).order_by(SignInSession.id)))


def _later(monkeypatch: pytest.MonkeyPatch, **passed: float) -> datetime:
    now = utcnow() + timedelta(**passed)
    monkeypatch.setattr(sessions, "utcnow", lambda: now)
    return now


def _why(token: str, user: User) -> str:
    with pytest.raises(SignedOut) as refused:
        sessions.require_alive(token, user.fs_uniquifier)
    return refused.value.text.en


def test_the_database_knows_no_token_that_could_be_used(user: User) -> None:
    token, other = _begin(user, "x" * 1000), _begin(user)
    row = _rows()[0]
    assert token != other
    assert len(token) >= 43  # 256 bits in base64
    assert token not in (row.token_hash, row.id)
    assert len(row.user_agent) == 300
    sessions.require_alive(token, user.fs_uniquifier)


def test_nobody_is_signed_in_by_a_token_that_was_never_given_or_is_somebody_elses(user: User) -> None:
    other = User(email="anden@example.com", password="x", active=True, fs_uniquifier=new_id())
    db.session.add(other)
    db.session.commit()
    token = _begin(user)
    assert "no longer knows" in _why("made-up", user)
    assert "no longer knows" in _why(token, other)


def test_a_token_is_worth_nothing_after_signing_out(user: User) -> None:
    token, other = _begin(user), _begin(user)
    sessions.sign_out(token)
    assert _why(token, user) == "You are signed out."
    sessions.require_alive(other, user.fs_uniquifier)


def test_who_does_nothing_for_eight_hours_is_signed_out(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    token = _begin(user)
    _later(monkeypatch, hours=8, seconds=1)
    assert "8 hours" in _why(token, user)
    assert sessions.alive(user.id) == []


def test_who_works_on_is_signed_out_after_seven_days(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    token = _begin(user)
    for hours in range(7, 168, 7):
        _later(monkeypatch, hours=hours)
        sessions.require_alive(token, user.fs_uniquifier)
    _later(monkeypatch, days=7, seconds=1)
    assert "7 days" in _why(token, user)


def test_when_somebody_was_seen_is_written_once_a_minute(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    token = _begin(user)
    first = _rows()[0].last_seen_at
    _later(monkeypatch, seconds=30)
    sessions.require_alive(token, user.fs_uniquifier)
    assert _rows()[0].last_seen_at == first
    now = _later(monkeypatch, seconds=61)
    sessions.require_alive(token, user.fs_uniquifier)
    assert _rows()[0].last_seen_at == now


@pytest.mark.parametrize(
    ("change", "ending"),
    [
        ({"fs_uniquifier": "another"}, Ending.CREDENTIALS),
        ({"active": False}, Ending.DEACTIVATED),
        ({"name": "Ny"}, None),
    ],
)
def test_a_new_password_and_deactivation_end_all_sessions_whoever_does_it(
    user: User, change: dict[str, object], ending: Ending | None
) -> None:
    tokens = [_begin(user), _begin(user)]
    sessions.sign_out(tokens[1])
    for name, value in change.items():
        setattr(user, name, value)
    db.session.commit()
    assert [row.ended_by for row in _rows()] == [ending, Ending.SIGNED_OUT]


def test_signing_in_again_in_a_browser_ends_the_session_it_had(user: User) -> None:
    first = _begin(user)
    second = _begin(user, replaced=first)
    assert "same browser" in _why(first, user)
    sessions.require_alive(second, user.fs_uniquifier)


def test_a_person_ends_one_of_their_own_sessions_or_all_others(user: User) -> None:
    here, there, elsewhere = _begin(user), _begin(user), _begin(user)
    row = next(row for row in sessions.alive(user.id) if sessions.is_current(row, there))
    assert sessions.end(user.id, row.id) is True
    assert sessions.end(user.id, row.id) is False
    assert "from another browser" in _why(there, user)
    assert sessions.end_others(user.id, here) == 1
    assert "from another browser" in _why(elsewhere, user)
    sessions.require_alive(here, user.fs_uniquifier)


def test_nobody_ends_somebody_elses_session(user: User) -> None:
    token = _begin(user)
    with pytest.raises(NotYours):
        sessions.end(new_id(), _rows()[0].id)
    sessions.end_others(new_id(), None)
    sessions.require_alive(token, user.fs_uniquifier)


def test_old_sessions_are_forgotten(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _begin(user)
    _later(monkeypatch, days=89)
    assert sessions.forget_old() == 0
    _later(monkeypatch, days=91)
    assert sessions.forget_old() == 1


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"), (None, "unknown"), ("no address", "unknown"),
    ],
)  # fmt: skip
def test_addresses_of_one_customer_of_a_provider_are_one_place(address: str | None, place: str) -> None:
    assert network(address) == place
