"""How passwords are hashed, and which ones may be chosen."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import Any

from flask import Flask
from flask_babel import gettext as _
from flask_security import PasswordUtil
from passlib.context import CryptContext

from invoiceapp.domain.passwords import is_easy_to_guess
from invoiceapp.services.sign_in.throttling import BUSY, Throttled

#: argon2id with 64 MiB: what a graphics card has least of. About 0.1 s on one core.
HASHING = {"argon2__type": "ID", "argon2__memory_cost": 64 * 1024, "argon2__time_cost": 2, "argon2__parallelism": 1}
#: Checks at a time in one process: 256 MiB, however many people press the button.
AT_ONCE = 4
#: Seconds that one waits for its turn.
_PATIENCE = 10

_turns = BoundedSemaphore(AT_ONCE)


class BoundedContext(CryptContext):  # type: ignore[misc]
    """A burst of sign-ins waits in line, and is refused after a while, rather than eat all memory."""

    def hash(self, *args: Any, **kwargs: Any) -> str:
        """As ``CryptContext``. Raises ``Throttled``."""
        with _Turn():
            return str(super().hash(*args, **kwargs))

    def verify(self, *args: Any, **kwargs: Any) -> bool:
        """As ``CryptContext``. Raises ``Throttled``."""
        with _Turn():
            return bool(super().verify(*args, **kwargs))


class _Turn:
    def __enter__(self) -> None:
        if not _turns.acquire(timeout=_PATIENCE):
            raise Throttled(BUSY)

    def __exit__(self, *_error: object) -> None:
        _turns.release()


class PasswordRules(PasswordUtil):
    """Length, and nothing that is among the first that anybody tries; no rules about digits and signs."""

    def validate(self, password: str, is_register: bool, **kwargs: Any) -> tuple[list[str] | None, str]:
        """What is wrong with a new password, in words, or None; and the password as it is hashed."""
        wrong, normalized = super().validate(password, is_register, **kwargs)
        user = kwargs.get("user")
        personal = (getattr(user, "email", None) or "").replace("@", ".").split(".")
        personal += (getattr(user, "name", None) or "").split()
        if not wrong and is_easy_to_guess(normalized, personal):
            wrong = [_("This password is easy to guess. Take a few words that have nothing to do with each other.")]
        return wrong, normalized


def init_app(app: Flask) -> None:
    """After Flask-Security's ``init_app``."""
    security = app.extensions["security"]
    bounded = BoundedContext()
    bounded.load(security.pwd_context)
    security.pwd_context = bounded
