from __future__ import annotations

import threading

import pytest
from flask import Flask
from flask_security import hash_password, verify_password
from passlib.context import CryptContext

from invoiceapp import passwords
from invoiceapp.models import User
from invoiceapp.services.sign_in.throttling import Throttled


@pytest.fixture
def argon2(app: Flask) -> Flask:
    app.config.update(SECURITY_PASSWORD_HASH="argon2", SECURITY_PASSWORD_SINGLE_HASH=["argon2"])
    return app


def test_passwords_are_hashed_with_argon2id_and_64_mebibytes(argon2: Flask) -> None:
    hashed = hash_password("correct-horse-battery")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=2,p=1$")
    assert verify_password("correct-horse-battery", hashed)


def test_checks_wait_in_line_so_that_a_burst_cannot_eat_all_memory(
    argon2: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, lock, full = 0, 0, threading.Lock(), threading.Event()

    def slow(*_args: object, **_kwargs: object) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == passwords.AT_ONCE:
                full.set()
        full.wait(10)
        with lock:
            running -= 1
        return True

    monkeypatch.setattr(CryptContext, "verify", slow)
    context = argon2.extensions["security"].pwd_context
    threads = [threading.Thread(target=context.verify, args=("x", "y")) for _ in range(3 * passwords.AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == passwords.AT_ONCE


def test_who_waits_too_long_is_refused(argon2: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_PATIENCE", 0)
    taken = [passwords._turns.acquire(timeout=1) for _ in range(passwords.AT_ONCE)]
    try:
        with pytest.raises(Throttled):
            hash_password("correct-horse-battery")
    finally:
        for _ in taken:
            passwords._turns.release()


def test_a_password_of_what_everybody_knows_of_the_person_is_refused(app: Flask) -> None:
    rules, user = passwords.PasswordRules(app), User(email="mette@bogholderne.dk", name="Mette Kjærsgaard")
    with app.test_request_context():
        for guess in ("Kjaersgaard2", "Bogholderne2026", "mettebogholderne"):
            wrong, _normalized = rules.validate(guess, False, user=user)
            assert (wrong is None) == (guess == "Kjaersgaard2"), guess
        assert rules.validate("kaffe bord lampe", False, user=user) == (None, "kaffe bord lampe")
