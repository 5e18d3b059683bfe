"""Who is signed in where: begun at sign-in, looked at by every request, ended by the person, a new password or time."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Update, delete, select, update

from invoiceapp.domain.findings import Text
from invoiceapp.models import Ending, SignInKind, SignInSession, User, cut, db, utcnow
from invoiceapp.services.database import changed, reading, transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.people.access import NotYours
from invoiceapp.services.sign_in.networks import network

#: Without a request, and at most (ASVS 5.0 7.3.1 and 7.3.2).
IDLE, LONGEST = timedelta(hours=8), timedelta(days=7)
#: A page that asks every few seconds does not write every few seconds.
_SEEN_EVERY = timedelta(minutes=1)
#: After it was last used, a row is still proof that the person comes from that network (``throttling``).
KEPT = timedelta(days=90)

_UNKNOWN = Text(
    "Du er logget ud, fordi login ikke længere findes på serveren.",
    "You are signed out, because the server no longer knows this sign-in.",
)
_IDLE = Text(
    "Du er logget ud, fordi du ikke har brugt siden i 8 timer.",
    "You are signed out, because you have not used the site for 8 hours.",
)
_OLD = Text(
    "Du er logget ud, fordi det er 7 dage siden, du loggede ind.",
    "You are signed out, because it is 7 days since you signed in.",
)
_WHY: dict[Ending, Text] = {
    Ending.ENDED_ELSEWHERE: Text(
        "Du er logget ud, fordi dette login blev afsluttet fra en anden browser.",
        "You are signed out, because this sign-in was ended from another browser.",
    ),
    Ending.CREDENTIALS: Text(
        "Du er logget ud, fordi dit login er ændret: adgangskoden, e-mailen eller det andet trin. Log ind igen.",
        "You are signed out, because your sign-in was changed: password, e-mail or second step. Sign in again.",
    ),
    Ending.DEACTIVATED: Text(
        "Du er logget ud, fordi brugeren er deaktiveret. Spørg den, der administrerer jeres abonnement.",
        "You are signed out, because the user is deactivated. Ask whoever administers your subscription.",
    ),
    Ending.SIGNED_OUT: Text("Du er logget ud.", "You are signed out."),
    Ending.REPLACED: Text(
        "Du er logget ud, fordi der blev logget ind igen i samme browser.",
        "You are signed out, because somebody signed in again in the same browser.",
    ),
}


class SignedOut(ServiceError):
    """A sign-in that is over, and why."""


def begin(user_id: str, kind: SignInKind, address: str | None, user_agent: str, *, replaced: str | None = None) -> str:
    """A session for somebody who has just shown who they are: the token for their cookie.

    ``replaced`` is the token that this browser had before.
    """
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        # A new password ends what was alive; this session comes after it.
        session.flush()
        if replaced:
            session.execute(_ended(Ending.REPLACED).where(SignInSession.token_hash == _hash(replaced)))
        session.add(
            SignInSession(
                user_id=user_id, token_hash=_hash(token), last_seen_at=utcnow(), ip=network(address),
                user_agent=cut(user_agent, 300), kind=kind,
            )
        )  # fmt: skip
    return token


def require_alive(token: str | None, uniquifier: str, *, is_act: bool = True) -> None:
    """Note that the person is here, if they do something. Raises ``SignedOut`` where it is over, unknown or not theirs.

    In transactions of its own, of which the one that writes reads nothing first (models/base.py).
    """
    now = utcnow()
    with reading() as session:
        found = session.execute(
            select(SignInSession, User.fs_uniquifier)
            .join(User, SignInSession.user_id == User.id)
            .where(SignInSession.token_hash == _hash(token or ""))
        ).one_or_none()
        why = _why_over(found[0], now) if found else _UNKNOWN
        if why is None and found and found[1] != uniquifier:
            why = _UNKNOWN
        stale = found[0].id if found and now - found[0].last_seen_at >= _SEEN_EVERY else None
    if why is not None:
        raise SignedOut(why)
    if stale is not None and is_act:
        with transaction() as session:
            session.execute(
                update(SignInSession)
                .where(SignInSession.id == stale)
                .values(last_seen_at=now)
                .execution_options(synchronize_session=False)
            )


def _why_over(row: SignInSession, now: datetime) -> Text | None:
    if row.ended_by is not None:
        return _WHY[row.ended_by]
    if now - row.created_at >= LONGEST:
        return _OLD
    return _IDLE if now - row.last_seen_at >= IDLE else None


def sign_out(token: str) -> None:
    """The person leaves; the cookie is worth nothing from now on."""
    with transaction() as session:
        session.execute(_ended(Ending.SIGNED_OUT).where(SignInSession.token_hash == _hash(token)))


def alive(user_id: str) -> list[SignInSession]:
    """Where the person is signed in, last seen first."""
    now = utcnow()
    query = (
        select(SignInSession)
        .where(
            SignInSession.user_id == user_id,
            SignInSession.ended_at.is_(None),
            SignInSession.created_at > now - LONGEST,
            SignInSession.last_seen_at > now - IDLE,
        )
        .order_by(SignInSession.last_seen_at.desc(), SignInSession.id.desc())
    )
    return list(db.session.scalars(query))


def is_current(row: SignInSession, token: str | None) -> bool:
    """Whether it is the session that asks."""
    return token is not None and row.token_hash == _hash(token)


def end(user_id: str, session_id: str) -> bool:
    """End one of the person's own; False where it was over already. Raises ``NotYours``."""
    own = SignInSession.user_id == user_id
    with transaction() as session:
        if session.scalar(select(SignInSession.id).where(SignInSession.id == session_id, own)) is None:
            raise NotYours
        return changed(session.execute(_ended(Ending.ENDED_ELSEWHERE).where(SignInSession.id == session_id)))


def end_others(user_id: str, token: str | None) -> int:
    """End all of the person's sessions but the one that asks; how many there were."""
    others = (SignInSession.user_id == user_id) & (SignInSession.token_hash != _hash(token or ""))
    counted = len([row for row in alive(user_id) if not is_current(row, token)])
    with transaction() as session:
        session.execute(_ended(Ending.ENDED_ELSEWHERE).where(others))
    return counted


def keep(user_id: str, token: str) -> None:
    """Go on in the session that has changed how its person signs in. In the transaction that has ended all of them.

    A copy of its cookie from before is worth nothing all the same: it names the uniquifier of before.
    """
    db.session.flush()
    db.session.execute(
        update(SignInSession)
        .where(
            SignInSession.user_id == user_id,
            SignInSession.token_hash == _hash(token),
            SignInSession.ended_by == Ending.CREDENTIALS,
        )
        .values(ended_at=None, ended_by=None)
        .execution_options(synchronize_session=False)
    )


def forget_old() -> int:
    """Delete what nobody has used for ``KEPT``; how many rows."""
    with transaction() as session:
        old = delete(SignInSession).where(SignInSession.last_seen_at < utcnow() - KEPT)
        result: Any = session.execute(old.execution_options(synchronize_session=False))
        return int(result.rowcount)


def _ended(by: Ending) -> Update:
    return (
        update(SignInSession)
        .where(SignInSession.ended_at.is_(None))
        .values(ended_at=utcnow(), ended_by=by)
        .execution_options(synchronize_session=False)
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
