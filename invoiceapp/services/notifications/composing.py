"""From due notices to mails: everything that one person is due to be told becomes one mail, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update

from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Mail, Notice, NoticeKind, Problem, Recipient, Subscription, db, utcnow
from invoiceapp.services.database import transaction

from . import letters, preferences, recipients, words
from .letters import Line, Section, say

#: People whose mails are written in one batch.
BATCH = 50
#: Mails to one person within an hour; what is more waits for the next one. No storm, whatever happens.
MOST_AN_HOUR = 4
#: What could not be mailed for so long stands in the inbox only.
TOO_OLD = timedelta(days=2)
#: Lines of one heading; the rest is behind the link.
_MOST_LINES = 20
K = NoticeKind
_HEADINGS: tuple[tuple[frozenset[NoticeKind], Text], ...] = (
    (frozenset({K.ESCALATED}), Text("Ingen har taget sig af det", "Nobody has acted")),
    (frozenset({K.OPENED, K.GROWN, K.MAIL}), Text("Skal ses på", "Needs a look")),
    (frozenset({K.RESOLVED}), Text("Løst", "Solved")),
    (frozenset({K.ARRIVED, K.FINISHED}), Text("Gik godt", "Went well")),
)
_OPEN = Text("Se det", "Look at it")
_OPEN_LIST = Text("Se dokumenterne", "See the documents")
_AND_MORE = Text("Og {n} til, som du kan se i programmet.", "And {n} more, which you can see in the program.")
_STOP = Text("Stop mails om dette", "Stop these mails")
_WHY = Text(
    "Du får mailen, fordi du har valgt det hos {company}.", "You get this mail because you chose so at {company}."
)
_CHOOSE = Text("Vælg, hvad du vil have besked om", "Choose what you want to be told about")


def _waits(now: datetime) -> list[ColumnElement[bool]]:
    """What is to be mailed, and is true: what has gone waits for ``noticing`` to see whether it stays away."""
    is_open = exists().where(Problem.id == Notice.problem_id, Problem.resolved_at.is_(None)).correlate(Notice)
    says_solved = Notice.kind == K.RESOLVED
    is_true = or_(Notice.problem_id.is_(None), and_(says_solved, ~is_open), and_(~says_solved, is_open))
    return [Notice.mail_id.is_(None), Notice.mail_at <= now, Notice.mail_at > now - TOO_OLD, is_true]


def _due(now: datetime) -> list[str]:
    query = select(Notice.recipient_id).where(*_waits(now)).distinct().order_by(Notice.recipient_id).limit(BATCH)
    return list(db.session.scalars(query))


def due(now: datetime | None = None) -> bool:
    """Whether anybody is to be told something, and there is a mail server."""
    now = now or utcnow()
    return config().mail is not None and bool(db.session.scalar(select(exists().where(*_waits(now)))))


def compose_due(now: datetime | None = None) -> int:
    """Write the mails of one batch of people; how many people. Each in a transaction of its own."""
    now = now or utcnow()
    with transaction():
        ids = _due(now)
    for recipient_id in ids:
        compose(recipient_id, now)
    return len(ids)


def compose(recipient_id: str, now: datetime) -> str | None:
    """Put all that is due for somebody into one mail; its id. None where nothing is due, or it must wait.

    Either the mail and the mark on each notice are kept, or neither.
    """
    with transaction() as session:
        recipient = session.get(Recipient, recipient_id, with_for_update={"of": Recipient}, populate_existing=True)
        if recipient is None:
            return None
        is_due = [Notice.recipient_id == recipient_id, *_waits(now)]
        if not recipients.may_mail(recipient):
            _put_off(is_due, None)
            return None
        if (later := _not_before(recipient, now)) > now:
            _put_off(is_due, later)
            return None
        notices = session.scalars(select(Notice).where(*is_due).order_by(Notice.id).with_for_update()).all()
        if not notices:
            return None
        mail = _mail(recipient, notices, now)
        session.add(mail)
        session.flush()
        for notice in notices:
            notice.mail_id = mail.id
        return mail.id


def _put_off(notices: Sequence[ColumnElement[bool]], until: datetime | None) -> None:
    db.session.execute(
        update(Notice).where(*notices).values(mail_at=until).execution_options(synchronize_session=False)
    )


def _not_before(recipient: Recipient, now: datetime) -> datetime:
    """When the next mail may be written: later where there were many, and after the quiet hours."""
    hour = timedelta(hours=1)
    count, first = db.session.execute(
        select(func.count(), func.min(Mail.created_at)).where(
            Mail.recipient_id == recipient.id, Mail.kind == letters.NOTICES, Mail.created_at > now - hour
        )
    ).one()
    return preferences.hours_of(recipient).after_quiet(first + hour if count >= MOST_AN_HOUR else now)


def _mail(recipient: Recipient, notices: Sequence[Notice], now: datetime) -> Mail:
    language = recipient.tongue
    company = db.session.get_one(Subscription, recipient.subscription_id).name
    told = _Told(recipient, notices)
    sections = told.sections()
    footer = [say(_WHY, language).replace("{company}", company)]
    if recipient.user_id:
        footer.append(f"{say(_CHOOSE, language)}: {config().base_url}/notifications/settings")
    return letters.write(
        recipient, letters.NOTICES, told.subject(), now=now, intro=[], sections=sections, footer=footer,
        unsubscribe=(say(_STOP, language), recipients.unsubscribe_url(recipient.id)),
    )  # fmt: skip


class _Told:
    """What one mail tells, in the receiver's language."""

    def __init__(self, recipient: Recipient, notices: Sequence[Notice]) -> None:
        self._recipient, self._language = recipient, recipient.tongue
        ids = {notice.problem_id for notice in notices if notice.problem_id}
        self._types = words.types_of(sorted(ids))
        self._problems = {row.id: row for row in db.session.scalars(select(Problem).where(Problem.id.in_(ids)))}
        adaptor_ids = {notice.adaptor_id for notice in notices if notice.adaptor_id}
        rows = db.session.scalars(select(Adaptor).where(Adaptor.id.in_(adaptor_ids)))
        self._adaptors = {row.id: row.name for row in rows}
        self._lines = {heading: self._of(notices, kinds) for kinds, heading in _HEADINGS}

    def subject(self) -> str:
        """What matters most, and how much else there is."""
        lines = [line for found in self._lines.values() for line in found]
        name = next(iter(self._adaptors.values())) if len(self._adaptors) == 1 else ""
        rest = len(lines) - 1
        more = say(Text(f" (og {rest} til)", f" (and {rest} more)"), self._language) if rest else ""
        first = lines[0].title
        prefix = f"{name}: " if name and not lines[0].title.startswith(name) else ""
        room = letters.SUBJECT - len(more) - len(prefix)
        return f"{prefix}{first if len(first) <= room else first[: room - 1] + '…'}{more}"

    def sections(self) -> list[Section]:
        """By what it asks of the reader."""
        found = []
        for heading, lines in self._lines.items():
            if lines:
                shown = lines[:_MOST_LINES]
                if more := len(lines) - len(shown):
                    shown.append(
                        Line(say(_AND_MORE, self._language).replace("{n}", str(more)), url=config().base_url + "/")
                    )
                found.append(Section(say(heading, self._language), shown))
        return found

    def _of(self, notices: Sequence[Notice], kinds: frozenset[NoticeKind]) -> list[Line]:
        chosen = [notice for notice in notices if notice.kind in kinds]
        if not chosen:
            return []
        if K.ARRIVED in kinds:
            return self._figures(chosen)
        lines: list[Line] = []
        seen: set[str] = set()
        # The newest of a problem says it all.
        for notice in reversed(chosen):
            if notice.problem_id is None or notice.problem_id not in seen:
                seen.add(notice.problem_id or "")
                lines.append(self._line(notice))
        return lines[::-1]

    def _line(self, notice: Notice) -> Line:
        problem = self._problems.get(notice.problem_id or "")
        title, body = words.text_of(notice.title), words.text_of(notice.body)
        if problem is not None and problem.is_open and notice.kind is K.OPENED:
            # As it is now: more may have come since it was noticed.
            title, body = words.opened(problem, self._types), words.body_of(problem)
        named = self._adaptors.get(notice.adaptor_id or "", "") if len(self._adaptors) > 1 else ""
        is_list = not notice.path.startswith("/approvals")
        link = _OPEN_LIST if is_list and notice.level == words.DOCUMENT and notice.problem_id else _OPEN
        url = config().base_url + notice.path if self._recipient.user_id else ""
        return Line(
            f"{named}: {say(title, self._language)}" if named else say(title, self._language), say(body, self._language), url,
            say(link, self._language),
        )  # fmt: skip

    def _figures(self, notices: list[Notice]) -> list[Line]:
        """One line for each adaptor and kind, with all figures together."""
        lines = []
        by_kind = sorted(notices, key=lambda one: (one.adaptor_id or "", one.kind))
        for (adaptor_id, kind), group in groupby(by_kind, key=lambda one: (one.adaptor_id, one.kind)):
            found = list(group)
            figures = words.added(one.figures for one in found)
            text = words.text_of(found[0].title)
            if kind is K.ARRIVED:
                text = words.arrived(figures)
            elif len(found) > 1:
                text = words.finished_many(len(found), figures)
            name = self._adaptors.get(adaptor_id or "", "")
            lines.append(Line(f"{name}: {say(text, self._language)}" if name else say(text, self._language)))
        return lines
