"""The outbox of our own mails: each is sent once, or we say that we do not know.

As deliveries (docs/decisions/0009): what provably did not leave is tried again; where the answer after the last byte is
missing, nothing is sent again by itself. Nothing here is done inside an export's transaction.
"""

from __future__ import annotations

import email.policy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.config import MailServer
from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Rejected, TransportError, Unavailable, Unknown
from invoiceapp.gateways.email.conversation import Conversation
from invoiceapp.gateways.email.login import Login
from invoiceapp.gateways.email.session import connect, deliver
from invoiceapp.models import Mail, MailState, Notice, NoticeKind, Recipient, cut, db, utcnow
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.guard import Guard, networks
from invoiceapp.services import stopping
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.delivery.moves import owner
from invoiceapp.services.errors import text_dict

from . import letters, noticing, preferences, recipients
from .news import News

log = logging.getLogger(__name__)

S = MailState
Clock = Callable[[], datetime]
BATCH = 20
LEASE = timedelta(minutes=5)
#: Seconds until the next try; the last one again until ``Mail.ends_at``.
RETRIES = (60, 300, 900, 1_800, 3_600)
#: Tries after which people are told in the inbox that mails do not leave.
_TELLS_AFTER = 3
#: A worker has exports to do.
_SECONDS, _STEP = 60.0, 10.0
_POLICY = email.policy.SMTP.clone(cte_type="7bit")
#: The administrator's own server may lie anywhere.
_EVERYWHERE = networks(["0.0.0.0/0", "::/0"])
_CRASHED = Text(
    "Serveren stoppede, mens mailen blev sendt. Vi ved ikke, om den er nået frem.",
    "The server stopped while the mail was being sent. We do not know whether it arrived.",
)
_UNWRITABLE = Text("Modtagerens adresse kan ikke bruges.", "The receiver's address cannot be used.")
_TOO_OLD = Text("Mailen kunne ikke sendes i tide.", "The mail could not be sent in time.")
_BROKEN = Text(
    "Mails med beskeder kan ikke sendes lige nu. Fakturaerne sendes som de plejer, og beskederne står her.",
    "Mails with messages cannot be sent just now. Invoices are sent as usual, and the messages are shown here.",
)


def is_set_up() -> bool:
    """Whether this installation has a mail server."""
    return config().mail is not None


def due(now: datetime | None = None) -> bool:
    """Whether a mail is to be sent, or was left behind by a worker that died."""
    return is_set_up() and bool(_due(now or utcnow(), 1))


def _due(now: datetime, limit: int) -> list[str]:
    waiting = Mail.state.in_((S.PENDING, S.LEASED, S.SENDING))
    query = select(Mail.id).where(waiting, Mail.next_at <= now).order_by(Mail.next_at, Mail.id).limit(limit)
    return list(db.session.scalars(query))


def send_due(clock: Clock = utcnow) -> int:
    """Send one batch over one connection; how many were looked at. A server may be slow: the clock is asked anew for each."""
    server = config().mail
    if server is None:
        return 0
    with transaction():
        ids = _due(clock(), BATCH)
    with Postman(server) as postman:
        for mail_id in stopping.until_asked(ids):
            if not _take(postman, mail_id, clock):
                break
    return len(ids)


@dataclass(frozen=True, slots=True)
class _Lease:
    mail_id: str
    fence: int


def _move(lease: _Lease, old: MailState, new: MailState, **values: Any) -> bool:
    """Compare-and-set inside the caller's transaction; False where the row moved on without us."""
    result = db.session.execute(
        update(Mail)
        .where(Mail.id == lease.mail_id, Mail.state == old, Mail.fence == lease.fence)
        .values(state=new, **values)
        .execution_options(synchronize_session=False)
    )
    return changed(result)


def _take(postman: Postman, mail_id: str, clock: Clock) -> bool:
    """One try of one mail; False where the server is not there for the others either."""
    lease = _claim(mail_id, clock())
    if lease is None:
        return True
    with transaction() as session:
        mail = session.get_one(Mail, mail_id, populate_existing=True)
        to, content = mail.to, _written(mail, postman.server)
        if content is None:
            _end(lease, S.LEASED, S.FAILED, clock(), error=text_dict(_UNWRITABLE, **{"class": "Rejected"}))
    if content is None:
        return True
    try:
        postman.be_ready()
    except TransportError as error:
        _failed(lease, S.LEASED, error, clock())
        return False
    with transaction():
        if not _move(lease, S.LEASED, S.SENDING, next_at=clock() + LEASE):
            return True
    try:
        reply = postman.hand_over(to, content)
    except TransportError as error:
        _failed(lease, S.SENDING, error, clock())
        return True
    with transaction():
        _end(lease, S.SENDING, S.SENT, clock(), reply=cut(reply, 500), error=None)
    return True


def _written(mail: Mail, server: MailServer) -> bytes | None:
    """The bytes; None where an address or a header cannot be written."""
    try:
        mail.to.encode("ascii")
        return message(mail, server)
    except ValueError:
        log.warning("mail %s cannot be written", mail.id)
        return None


def _claim(mail_id: str, now: datetime) -> _Lease | None:
    """Take one for a try; None where it is not to be sent (any more). What a dead worker left is put where it belongs."""
    with transaction() as session:
        mail = session.get(Mail, mail_id, with_for_update=True, populate_existing=True)
        if mail is None or mail.next_at is None or mail.next_at > now:
            return None
        lease = _Lease(mail.id, mail.fence)
        if mail.state is S.SENDING:
            _end(lease, S.SENDING, S.UNKNOWN, now, error=text_dict(_CRASHED, **{"class": "Unknown"}))
            return None
        if mail.state not in (S.PENDING, S.LEASED):
            return None
        if mail.ends_at <= now:
            _end(lease, mail.state, S.FAILED, now, error=mail.error or text_dict(_TOO_OLD, **{"class": "Unavailable"}))
            return None
        if not _is_wanted(mail):
            _end(lease, mail.state, S.FAILED, now, error=None)
            return None
        if (later := _after_quiet(mail, now)) > now:
            _move(lease, mail.state, S.PENDING, next_at=later, lease_owner=None)
            return None
        values = {"next_at": now + LEASE, "lease_owner": owner(), "fence": Mail.fence + 1, "tries": Mail.tries + 1}
        return _Lease(mail.id, mail.fence + 1) if _move(lease, mail.state, S.LEASED, **values) else None


def _is_wanted(mail: Mail) -> bool:
    """Whether its receiver is still to be told."""
    if mail.kind != letters.NOTICES:
        return True
    person = db.session.get(Recipient, mail.recipient_id, populate_existing=True) if mail.recipient_id else None
    return person is not None and recipients.may_mail(person)


def _after_quiet(mail: Mail, now: datetime) -> datetime:
    """When it may leave: it may have been tried before, or have waited for the server, until late."""
    person = db.session.get(Recipient, mail.recipient_id) if mail.kind == letters.NOTICES else None
    return preferences.hours_of(person).after_quiet(now) if person else now


def _failed(lease: _Lease, state: MailState, error: TransportError, now: datetime) -> None:
    log.warning("mail %s: %s: %s", lease.mail_id, type(error).__name__, error.detail or error.text.en)
    stored = text_dict(error.text, **{"class": type(error).__name__})
    with transaction() as session:
        mail = session.get_one(Mail, lease.mail_id, populate_existing=True)
        if isinstance(error, Unknown | Rejected):
            moved = _end(lease, state, S.UNKNOWN if isinstance(error, Unknown) else S.FAILED, now, error=stored)
        else:
            wish = (error.retry_after or 0) if isinstance(error, Unavailable) else 0
            pause = max(RETRIES[min(mail.tries, len(RETRIES)) - 1], min(wish, RETRIES[-1]))
            moved = _move(
                lease, state, S.PENDING, next_at=now + timedelta(seconds=pause), lease_owner=None, error=stored
            )  # fmt: skip
            if state is S.LEASED:
                _postpone(now, now + timedelta(seconds=pause))
        is_server = not isinstance(error, Rejected)
        told = mail.subscription_id if moved and is_server and mail.tries >= _TELLS_AFTER else None
    if told:
        _tell(told, now)


def _postpone(now: datetime, until: datetime) -> None:
    """The server is not there: no worker waits for it again for each of the other mails."""
    waiting = (Mail.state == S.PENDING, Mail.next_at <= now)
    db.session.execute(update(Mail).where(*waiting).values(next_at=until).execution_options(synchronize_session=False))


def _end(lease: _Lease, old: MailState, new: MailState, now: datetime, **values: Any) -> bool:
    """Inside the caller's transaction. A secret link is not kept longer than it is needed."""
    moved = _move(lease, old, new, next_at=None, lease_owner=None, finished_at=now, **values)
    if moved:
        secret = (Mail.id == lease.mail_id, Mail.kind == letters.CONFIRM)
        db.session.execute(
            update(Mail).where(*secret).values(text="", html="").execution_options(synchronize_session=False)
        )
    return moved


def _tell(subscription_id: str, now: datetime) -> None:
    """In the inbox, once a day. Never within what notes the failure: that must stand, whoever else tells it now."""
    try:
        with transaction():
            _write_notices(subscription_id, f"mail/{now:%Y-%m-%d}", now)
    except IntegrityError:
        log.info("another worker tells subscription %s that mails do not leave", subscription_id)


def _write_notices(subscription_id: str, event: str, now: datetime) -> None:
    """Inside the caller's transaction."""
    told = set(
        db.session.scalars(
            select(Notice.recipient_id).where(Notice.subscription_id == subscription_id, Notice.event == event)
        )
    )
    people = [one for one in recipients.audience(subscription_id) if one.user_id and one.id not in told]
    news = News(event, NoticeKind.MAIL, "adaptor", _BROKEN, path="/notifications")
    noticing.tell(subscription_id, None, people, [news], now)
    in_vain = (Notice.subscription_id == subscription_id, Notice.event == event)
    db.session.execute(update(Notice).where(*in_vain).values(mail_at=None))


def message(mail: Mail, server: MailServer) -> bytes:
    """The bytes on the wire, the same in every try."""
    built = EmailMessage(policy=_POLICY)
    built["From"] = Address(display_name=server.sender_name, addr_spec=server.sender)
    built["To"] = mail.to
    built["Subject"] = mail.subject
    built["Date"] = format_datetime(mail.created_at)
    # RFC 3834: so that no absence note is written in return.
    built["Auto-Submitted"] = "auto-generated"
    if mail.unsubscribe:
        built["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
        built["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    built.set_content(mail.text)
    built.add_alternative(mail.html, subtype="html")
    built.set_boundary(f"=_{mail.id}")
    # Written by hand: the library would fold it onto a second line, which some servers misread.
    return f"Message-ID: {mail.message_id}\r\n".encode("ascii") + built.as_bytes()


class Postman:
    """One connection for a batch, opened when the first mail needs it."""

    def __init__(self, server: MailServer, seconds: float = _SECONDS) -> None:
        self.server = server
        self._seconds = seconds
        self._guard = Guard(_EVERYWHERE, frozenset({server.port}))
        self._smtp: Conversation | None = None

    def be_ready(self) -> None:
        """Connected and logged in. Raises ``Refused`` or ``Unavailable``."""
        if self._smtp is not None:
            self._smtp.deadline = Deadline(self._seconds, _STEP)
            return
        one = self.server
        login = {"auth": "password" if one.username else "none", "username": one.username, "password": one.password}
        settings = {"host": one.host, "port": one.port, "security": one.security, **login}
        self._smtp = connect(settings, self._guard, Deadline(self._seconds, _STEP))
        try:
            Login(settings, self._guard, {}).enter(self._smtp)
        except TransportError:
            self.close()
            raise

    def hand_over(self, to: str, content: bytes) -> str:
        """The server's last line. Raises any ``TransportError``."""
        assert self._smtp is not None
        try:
            return deliver(self._smtp, self.server.sender, [to], None, content)
        except TransportError:
            # What failed once is not used again.
            self.close()
            raise

    def close(self) -> None:
        """May be called twice."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def __enter__(self) -> Postman:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
