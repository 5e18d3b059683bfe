"""How often somebody may try a secret: a password, a code, a token.

Failed tries are counted in the database, for the account, for the address and for the whole installation:

- **Account.** After 5 failed tries the next must wait, longer each time; after 10, for 15 minutes. Unknown accounts are
  counted in the same way, so that nothing tells them apart. A person whose network has been signed in to the account
  before has a count of their own there: who locks the account from elsewhere does not lock them out.
- **Address.** More tries, because an office shares one. A success does not clear it: whoever owns one account could
  otherwise go on trying others for ever.
- **Installation.** Many addresses that try many accounts are slowed to one try in two seconds, all together. It never
  locks, and people on networks of theirs do not feel it; others may have to press the button more than once.

Nobody sleeps here: who comes too early is refused before any work is done, and told how long to wait. Refused tries are
not counted. Tries at the same moment can pass by as many as there are threads; the next one meets the lock.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Literal

from flask import current_app
from sqlalchemy import Select, case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from invoiceapp.config import Config
from invoiceapp.domain.findings import Text
from invoiceapp.models import SignInFailure, SignInSession, User, db, utcnow
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.sign_in.networks import UNKNOWN, network

log = logging.getLogger(__name__)

#: What is tried. Each is counted apart; ``reset`` and ``oidc`` count requests, because every one
#: sends a mail, or somebody elsewhere.
Kind = Literal["login", "verify", "code", "recovery", "reset", "invitation", "token", "oidc"]

_NO_WAIT = timedelta(0)
#: Where the machine has more to check than it can.
BUSY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Limit:
    name: str
    window: timedelta
    """After it, counting starts anew"""
    free: int
    """Failures that cost no waiting"""
    longest: timedelta
    """The most that one failure after these costs"""
    locks_at: int | None = None
    lock: timedelta = timedelta(minutes=15)

    def wait(self, failures: int) -> timedelta:
        """From the last of ``failures`` to the next try: 2, 4, 8 … seconds, then the lock."""
        if self.locks_at is not None and failures >= self.locks_at:
            return self.lock
        beyond = failures - self.free
        # 2**10 seconds is longer than any ``longest``.
        return min(timedelta(seconds=2 ** min(beyond + 1, 10)), self.longest) if beyond >= 0 else _NO_WAIT


_ACCOUNT = _Limit("account", timedelta(days=1), 5, timedelta(minutes=1), 10)
#: So many mails may anybody make us send to one person: 5, and then 8 a day.
_MAILS = _Limit("account", timedelta(days=1), 3, timedelta(minutes=1), 5, timedelta(hours=3))
_ADDRESS = _Limit("address", timedelta(hours=1), 20, timedelta(seconds=30), 50)
#: A whole office may begin its day at the provider.
_STARTS = _Limit("address", timedelta(minutes=10), 60, timedelta(seconds=30))
_INSTALLATION = _Limit("installation", timedelta(minutes=10), 200, timedelta(seconds=2))
#: No count matters longer than this.
_KEPT = timedelta(days=2)


class Throttled(ServiceError):
    """Too many failed tries; ``wait`` (in whole ``seconds``, at least one) until the next one."""

    def __init__(self, wait: timedelta) -> None:
        self.wait = wait
        seconds = self.seconds = max(ceil(wait.total_seconds()), 1)
        if seconds <= 1:
            after = Text("Vent 1 sekund, og prøv igen.", "Wait 1 second and try again.")
        elif seconds <= 60:
            after = Text(f"Vent {seconds} sekunder, og prøv igen.", f"Wait {seconds} seconds and try again.")
        else:
            minutes = ceil(seconds / 60)
            after = Text(f"Prøv igen om {minutes} minutter.", f"Try again in {minutes} minutes.")
        super().__init__(Text(f"Der er forsøgt for mange gange. {after.da}", f"There were too many tries. {after.en}"))


def check(kind: Kind, *, account: str | None = None, address: str | None = None) -> None:
    """Raises ``Throttled`` where it is too early for another try.

    ``account`` is the e-mail, whether anybody has it or not; ``address`` the IP address. Only reads.
    """
    now = utcnow()
    with reading() as session:
        limits = {key: limit for limit, key in _counters(kind, account, address)}
        rows = session.scalars(select(SignInFailure).where(SignInFailure.key.in_(limits)))
        wait = max((row.last_at + limits[row.key].wait(row.failures) - now for row in rows), default=_NO_WAIT)
    if wait > _NO_WAIT:
        raise Throttled(wait)


def failed(kind: Kind, *, account: str | None = None, address: str | None = None) -> None:
    """Count a try that was wrong."""
    with transaction() as session:
        # Always in this order, so that two at once never wait for each other.
        for limit, key in _counters(kind, account, address):
            failures = session.execute(_count(limit, key, utcnow())).scalar_one()
            if failures == (limit.locks_at or limit.free):
                log.warning("too many failed tries of kind %s: the %s must wait", kind, limit.name)


def succeeded(kind: Kind, *, account: str | None = None, address: str | None = None) -> None:
    """Forget the account's failures that counted for this person; those of the address stay."""
    with transaction() as session:
        keys = [key for limit, key in _counters(kind, account, address) if limit.name == "account"]
        session.execute(
            delete(SignInFailure).where(SignInFailure.key.in_(keys)).execution_options(synchronize_session=False)
        )


def forget_old() -> int:
    """Delete counts that no longer matter; how many."""
    with transaction() as session:
        old = delete(SignInFailure).where(SignInFailure.last_at < utcnow() - _KEPT)
        result: Any = session.execute(old.execution_options(synchronize_session=False))
        return int(result.rowcount)


def _counters(kind: Kind, account: str | None, address: str | None) -> list[tuple[_Limit, str]]:
    """Which counts a try meets, with their keys."""
    place, counters, is_known = network(address), [], False
    if account is not None:
        who = account.strip().lower()
        is_known = place != UNKNOWN and db.session.scalar(_known(who, place)) is not None
        limit = _MAILS if kind == "reset" else _ACCOUNT
        counters.append((limit, _key(kind, "account", who, place if is_known else "")))
    if place != UNKNOWN:
        counters.append((_STARTS if kind == "oidc" else _ADDRESS, _key(kind, "address", place)))
    if not is_known:
        counters.append((_INSTALLATION, _key(kind, "installation")))
    return counters


def _known(email: str, place: str) -> Select[str]:
    """Whether the person has been signed in from there; rows are kept for ``sessions.KEPT``."""
    return (
        select(SignInSession.id)
        .join(User, SignInSession.user_id == User.id)
        .where(func.lower(User.email) == email, SignInSession.ip == place)
        .limit(1)
    )


def _key(*parts: str) -> str:
    config: Config = current_app.extensions["invoiceapp.config"]
    return hmac.new(config.secret_key.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def _count(limit: _Limit, key: str, now: datetime) -> Any:
    """One more, in one statement: tries at the same moment are all counted. Returns the failures."""
    dialect = postgresql if db.session.get_bind().dialect.name == "postgresql" else sqlite
    is_over = SignInFailure.started_at < now - limit.window
    return (
        dialect.insert(SignInFailure)
        .values(key=key, failures=1, started_at=now, last_at=now)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                "failures": case((is_over, 1), else_=SignInFailure.failures + 1),
                "started_at": case((is_over, now), else_=SignInFailure.started_at),
                "last_at": now,
            },
        )
        .returning(SignInFailure.failures)
    )
