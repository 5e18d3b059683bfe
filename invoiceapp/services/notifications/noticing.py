"""What happened with one adaptor becomes notices: for each person once, in the transaction that notes how far it has come."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.domain.findings import Text
from invoiceapp.domain.notifying import Rhythm
from invoiceapp.models import (
    ACTIVE_RUNS,
    Adaptor,
    Event,
    Notice,
    NoticeKind,
    Problem,
    ProblemDocument,
    Recipient,
    Run,
    RunState,
    SettingsChange,
    Telling,
    Watch,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.daily import problems
from invoiceapp.services.daily.schedules import Overdue
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import text_dict
from invoiceapp.services.four_eyes import words as approval_words

from . import alarms, arrivals, calling, preferences, recipients, words
from .news import News

log = logging.getLogger(__name__)

#: How often an adaptor is looked at although nothing has opened or been resolved.
EVERY = timedelta(minutes=10)
#: Adaptors of one batch.
BATCH = 50
#: Problems that are told of in one transaction.
SLICE = 200
#: What has gone is not told before it has stayed away for so long: what comes back meanwhile was never solved.
SETTLED = problems.REOPENED_WITHIN
#: While a problem is young its count grows without being told anew.
_YOUNG = timedelta(hours=1)
#: Later it is told that it has grown by this factor and these documents.
_FACTOR, _MORE = 2, 10
_RUNS = 50
K = NoticeKind


def due(now: datetime | None = None, limit: int = 1) -> list[str]:
    """Adaptors with something to notice, or that were not looked at for ``EVERY``; at most ``limit``."""
    now = now or utcnow()
    seen = exists().where(Watch.adaptor_id == Adaptor.id, Watch.alarms_at > now - EVERY)
    idle = select(Adaptor.id).where(Adaptor.deleted_at.is_(None), ~seen)
    found: dict[str, None] = {}
    for query in (*_waiting(now), idle):
        found |= dict.fromkeys(db.session.scalars(query.distinct().limit(limit)))
    return list(found)[:limit]


def _waiting(now: datetime) -> tuple[Select[str], Select[str]]:
    """Adaptors, not deleted, with problems that were not told of, and with problems that are over."""
    kept = (
        select(Problem.adaptor_id).join(Adaptor, Adaptor.id == Problem.adaptor_id).where(Adaptor.deleted_at.is_(None))
    )
    new = kept.where(Problem.resolved_at.is_(None), ~_is_told())
    over = kept.join(Telling, Telling.problem_id == Problem.id).where(
        Telling.closed_at.is_(None), Problem.resolved_at <= now - SETTLED
    )
    return new, over


def _is_told() -> Any:
    return exists().where(Telling.problem_id == Problem.id, Telling.closed_at.is_(None)).correlate(Problem)


def notice_due(now: datetime | None = None) -> int:
    """Look at one batch of adaptors that are due, alarms first, then what is to be told; how many."""
    now = now or utcnow()
    with transaction():
        ids, missed = due(now, BATCH), alarms.missed(now)
    for adaptor_id in ids:
        try:
            _look(adaptor_id, missed.get(adaptor_id, []), now)
        except IntegrityError:
            # Another worker did the same at the same moment; all of this one is undone.
            log.info("adaptor %s is noticed by another worker", adaptor_id)
        except Exception:
            # Nobody behind it waits for its cure.
            log.exception("adaptor %s cannot be noticed", adaptor_id)
    return len(ids)


def _look(adaptor_id: str, missed: Sequence[Overdue], now: datetime) -> None:
    with transaction() as session:
        watch = session.get(Watch, adaptor_id)
        is_idle = watch is None or watch.alarms_at is None or watch.alarms_at <= now - EVERY
    if is_idle:
        alarms.refresh(adaptor_id, missed, now)
    notice(adaptor_id, now)
    while _is_left(adaptor_id, now):
        notice(adaptor_id, now)


def _is_left(adaptor_id: str, now: datetime) -> bool:
    """Whether more has happened than one transaction tells."""
    with transaction() as session:
        return any(session.scalar(query.where(Problem.adaptor_id == adaptor_id).limit(1)) for query in _waiting(now))


def locked(adaptor_id: str) -> Watch:
    """The adaptor's watch, which only we have until the transaction ends. Inside the caller's transaction."""
    row = db.session.get(Watch, adaptor_id, with_for_update=True, populate_existing=True)
    if row is None:
        adaptor = db.session.get_one(Adaptor, adaptor_id)
        row = Watch(adaptor_id=adaptor_id, subscription_id=adaptor.subscription_id, escalate_hours=24, silence=True)
        db.session.add(row)
        db.session.flush()
    return row


def notice(adaptor_id: str, now: datetime) -> int:
    """Tell what is new of an adaptor, at most ``SLICE`` problems, in one transaction; how many notices."""
    with transaction():
        watch = locked(adaptor_id)
        people = recipients.audience(watch.subscription_id, db.session.get_one(Adaptor, adaptor_id))
        news = [*_opened(adaptor_id), *_grown(adaptor_id, now), *_runs(watch)]
        wanted = calling.is_wanted(adaptor_id) or _is_wanted(people, adaptor_id)
        news += [
            News(f"arrived/{adaptor_id}/{until:%Y%m%dT%H%M%S}", K.ARRIVED, words.DOCUMENT, words.arrived(figures),
                 path=f"/?adaptor={adaptor_id}&status=arrived", positive=True, figures=figures)
            for until, figures in arrivals.since(watch, now, wanted=wanted)
        ]  # fmt: skip
        told = tell(watch.subscription_id, adaptor_id, people, news, now)
        return told + _resolve(watch, people, now) + _escalate(watch, people, now)


def _is_wanted(people: Sequence[Recipient], adaptor_id: str) -> bool:
    wishes = preferences.effective([one.id for one in people], adaptor_id).values()
    return any(wish.positive_document is not Rhythm.OFF for wish in wishes)


def path_of(problem: Problem) -> str:
    """Where to look: the documents that it stops, or the adaptor's overview."""
    if problem.rule == approval_words.RULE and problem.fix:
        return f"/approvals?adaptor={problem.adaptor_id}#approval-{problem.fix.partition('.')[2]}"
    if problem.level == words.DOCUMENT:
        return f"/?adaptor={problem.adaptor_id}&problem={problem.id}"
    return f"/?adaptor={problem.adaptor_id}"


def _news_of(problem: Problem, kind: NoticeKind, title: Text, event: str) -> News:
    body = words.body_of_resolved(problem) if kind is NoticeKind.RESOLVED else words.body_of(problem)
    return News(
        f"problem/{problem.id}/{event}", kind, problem.level, title, body, path_of(problem),
        problem_id=problem.id,
    )  # fmt: skip


def _opened(adaptor_id: str) -> list[News]:
    """New problems, and those that are back after it was told that they are over."""
    rows = db.session.execute(
        select(Problem, Telling)
        .outerjoin(Telling, Telling.problem_id == Problem.id)
        .where(Problem.adaptor_id == adaptor_id, Problem.resolved_at.is_(None), ~_is_told())
        .order_by(Problem.id)
        .limit(SLICE)
    ).all()
    types = words.types_of([problem.id for problem, _ in rows])
    news = []
    for problem, telling in rows:
        event = "opened"
        if telling is not None:
            event = f"opened/{_stamp(telling.closed_at)}"
            _unmail(problem)
        known = telling or Telling(problem_id=problem.id, adaptor_id=adaptor_id)
        known.documents, known.closed_at, known.escalated_at = problem.documents, None, None
        db.session.add(known)
        news.append(_news_of(problem, K.OPENED, words.opened(problem, types), event))
    db.session.flush()
    return news


def _stamp(moment: datetime | None) -> str:
    """A problem may open, grow and end more than once; none of it may bear the same name."""
    return f"{moment:%Y%m%dT%H%M%S}"


def _unmail(problem: Problem) -> None:
    """What waits for a mail is not true any more."""
    waiting = (Notice.problem_id == problem.id, Notice.mail_id.is_(None), Notice.mail_at.is_not(None))
    db.session.execute(update(Notice).where(*waiting).values(mail_at=None))


def _grown(adaptor_id: str, now: datetime) -> list[News]:
    rows = db.session.execute(
        select(Problem, Telling)
        .join(Telling, Telling.problem_id == Problem.id)
        .where(
            Telling.adaptor_id == adaptor_id, Telling.closed_at.is_(None), Problem.resolved_at.is_(None),
            Problem.documents > Telling.documents,
        )
    ).all()  # fmt: skip
    types = words.types_of([problem.id for problem, _ in rows])
    news = []
    for problem, telling in rows:
        if now - problem.created_at < _YOUNG:
            _retitle(problem, types)
            telling.documents = problem.documents
        elif problem.documents >= max(telling.documents * _FACTOR, telling.documents + _MORE):
            telling.documents = problem.documents
            news.append(_news_of(problem, K.GROWN, words.grown(problem, types), f"grown/{_stamp(now)}"))
    return news


def _retitle(problem: Problem, types: words.Types) -> None:
    """The inbox shows today's count until somebody has read it."""
    values = {"title": text_dict(words.opened(problem, types)), "body": text_dict(words.body_of(problem))}
    unread = (Notice.problem_id == problem.id, Notice.kind == K.OPENED, Notice.read_at.is_(None))
    db.session.execute(update(Notice).where(*unread).values(**values))


def _runs(watch: Watch) -> list[News]:
    """Runs that ended since the last one that was looked at, oldest first. Failed ones are an alarm."""
    if watch.last_run_id is None:
        # What ran before anybody watched is no news; an active run is.
        known = select(func.max(Run.id)).where(Run.adaptor_id == watch.adaptor_id)
        active = db.session.scalar(
            select(func.min(Run.id)).where(Run.adaptor_id == watch.adaptor_id, Run.state.in_(ACTIVE_RUNS))
        )
        watch.last_run_id = db.session.scalar(known.where(Run.id < active) if active else known) or "0"
        return []
    query = select(Run).where(Run.adaptor_id == watch.adaptor_id, Run.id > watch.last_run_id).order_by(Run.id)
    news = []
    for run in db.session.scalars(query.limit(_RUNS)):
        if run.state in ACTIVE_RUNS:
            break
        watch.last_run_id = run.id
        if run.state is RunState.FINISHED and run.queued:
            news.append(
                News(f"run/{run.id}", K.FINISHED, words.ADAPTOR, words.finished(run), path=f"/runs/{run.id}", positive=True,
                     run_id=run.id, figures={"read": run.read, "queued": run.queued})
            )  # fmt: skip
    return news


def tell(
    subscription_id: str, adaptor_id: str | None, people: Iterable[Recipient], news: Sequence[News], now: datetime
) -> int:
    """Write a notice for each who is to be told, and a call for the webhook. Inside the caller's transaction."""
    people = list(people)
    if not news:
        return 0
    wishes = preferences.effective([one.id for one in people], adaptor_id)
    rows = [
        row
        for one in news
        for person in people
        if (
            row := _notice(
                subscription_id, adaptor_id, person, one, wishes[person.id].of(one.level, positive=one.positive), now
            )
        )
    ]
    db.session.add_all(rows)
    if adaptor_id:
        calling.add(adaptor_id, news, now)
    db.session.flush()
    return len(rows)


def _notice(
    subscription_id: str, adaptor_id: str | None, person: Recipient, news: News, rhythm: Rhythm, now: datetime
) -> Notice | None:
    """None for somebody who would never see it."""
    if rhythm is Rhythm.OFF and (news.positive or person.user_id is None):
        return None
    soon = preferences.soonest(news.kind, rhythm)
    mail_at = preferences.hours_of(person).mail_at(soon, now) if person.gets_mail else None
    return Notice(
        id=new_id(), created_at=now, subscription_id=subscription_id, recipient_id=person.id, adaptor_id=adaptor_id,
        problem_id=news.problem_id, run_id=news.run_id, event=news.event, kind=news.kind, level=news.level,
        positive=news.positive, title=text_dict(news.title), body=text_dict(news.body), path=news.path, figures=news.figures,
        rhythm=rhythm, mail_at=mail_at,
    )  # fmt: skip


def _resolve(watch: Watch, people: Sequence[Recipient], now: datetime) -> int:
    """Tell those who were told; what nobody was mailed about yet needs no mail at all."""
    rows = db.session.execute(
        select(Problem, Telling)
        .join(Telling, Telling.problem_id == Problem.id)
        .where(
            Telling.adaptor_id == watch.adaptor_id, Telling.closed_at.is_(None), Problem.resolved_at <= now - SETTLED,
        )
        .order_by(Problem.id)
        .limit(SLICE)
    ).all()  # fmt: skip
    told = 0
    for problem, telling in rows:
        telling.closed_at = now
        if _has_follower(problem):
            continue
        _unmail(problem)
        mailed = dict(
            db.session.execute(
                select(Notice.recipient_id, func.max(Notice.mail_id))
                .where(Notice.problem_id == problem.id)
                .group_by(Notice.recipient_id)
            ).all()
        )
        news = _news_of(problem, K.RESOLVED, words.resolved(problem), f"resolved/{_stamp(problem.resolved_at)}")
        told += tell(
            watch.subscription_id, watch.adaptor_id, [one for one in people if one.id in mailed], [news], now
        )  # fmt: skip
        quiet = [one for one, mail_id in mailed.items() if mail_id is None]
        silent = (Notice.event == news.event, Notice.recipient_id.in_(quiet))
        db.session.execute(update(Notice).where(*silent).values(mail_at=None))
    return told


def _has_follower(problem: Problem) -> bool:
    """Whether it only became more urgent: an end that has come closer is a problem of its own."""
    if problem.rule != alarms.EXPIRES:
        return False
    same = (Problem.adaptor_id == problem.adaptor_id, Problem.rule == problem.rule, Problem.resolved_at.is_(None))
    return bool(db.session.scalar(select(exists().where(*same, Problem.gateway_id == problem.gateway_id))))


def _escalate(watch: Watch, people: Sequence[Recipient], now: datetime) -> int:
    """Tell the second person, once a problem, where nobody has acted for the hours that were chosen."""
    person = next((one for one in people if one.id == watch.escalate_to and one.gets_mail), None)
    if person is None:
        return 0
    limit = now - timedelta(hours=watch.escalate_hours)
    rows = db.session.execute(
        select(Problem, Telling)
        .join(Telling, Telling.problem_id == Problem.id)
        .where(
            Telling.adaptor_id == watch.adaptor_id, Telling.closed_at.is_(None), Telling.escalated_at.is_(None),
            Problem.resolved_at.is_(None), Problem.created_at <= limit,
        )
    ).all()  # fmt: skip
    types = words.types_of([problem.id for problem, _ in rows])
    told = 0
    for problem, telling in rows:
        if _told_at(problem) > limit or _was_acted_on(problem, limit):
            continue
        telling.escalated_at = now
        title = words.escalated(problem, types, watch.escalate_hours)
        news = _news_of(problem, K.ESCALATED, title, f"escalated/{_stamp(now)}")
        row = _notice(watch.subscription_id, watch.adaptor_id, person, news, Rhythm.NOW, now)
        if row is not None:
            db.session.add(row)
            told += 1
    db.session.flush()
    return told


def _told_at(problem: Problem) -> datetime:
    """Since when people know: one that was told as solved and is back begins anew."""
    told = select(func.max(Notice.created_at)).where(Notice.problem_id == problem.id, Notice.kind == K.OPENED)
    return db.session.scalar(told) or problem.created_at


def _was_acted_on(problem: Problem, since: datetime) -> bool:
    """Whether a person has changed settings, or done something with one of its documents."""
    by_person = exists().where(
        Event.document_id == ProblemDocument.document_id, ProblemDocument.problem_id == problem.id,
        Event.actor != "system", Event.created_at > since,
    )  # fmt: skip
    saved = exists().where(SettingsChange.adaptor_id == problem.adaptor_id, SettingsChange.created_at > since)
    return bool(db.session.scalar(select(or_(by_person, saved))))
