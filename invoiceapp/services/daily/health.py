"""How the parts are that the work needs: the source, the gateways, the schedule, certificates, and our own workers.

Each line says how it is, and what to do where it is not well. Only what is known is said.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError
from rq.job import Job as QueuedJob
from rq.job import JobStatus
from rq.serializers import JSONSerializer
from sqlalchemy import func, or_, select

from invoiceapp.current import bell_connection
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    ExportRule,
    Gateway,
    Mail,
    MailState,
    Run,
    RunState,
    db,
    utcnow,
)
from invoiceapp.models.schedule import Outcome, Schedule, ScheduleRun
from invoiceapp.services.configuration import expiries
from invoiceapp.services.delivery import ages
from invoiceapp.services.export import standing
from invoiceapp.services.keeping import damage
from invoiceapp.services.notifications import mailing
from invoiceapp.services.proof import reconciled

from .listing import GROUPS

log = logging.getLogger(__name__)

#: The clock's periodic entry (``jobs/clock.py``); its record lives a minute after the last tick.
TICK = "clock-tick"
#: Without a tick for so long something is slow: they come every five seconds.
_SLOW = timedelta(seconds=30)
#: Of the newest arrivals of a gateway, those among which the last success is looked for.
_NEWEST = 50
_RECENT = timedelta(days=30)
#: After its time, a run that has not begun is overdue.
_LATE = timedelta(minutes=10)


class Level(StrEnum):
    """How well."""

    GOOD = "good"
    REST = "rest"
    """not at work, because somebody wanted it so"""
    WATCH = "watch"
    """works, or will again by itself; somebody should know"""
    BAD = "bad"
    """does not work until somebody acts"""


class Part(StrEnum):
    """What is judged."""

    SOURCE = "source"
    SCHEDULE = "schedule"
    RECONCILIATION = "reconciliation"
    GATEWAY = "gateway"
    EXPIRY = "expiry"
    MAIL = "mail"
    ARCHIVE = "archive"
    """the files of documents; told of once they were verified"""
    WORKERS = "workers"
    STUCK = "stuck"
    """deliveries that nobody moves; told of only where there are any"""


@dataclass(frozen=True, slots=True)
class Line:
    """One part, and how it is."""

    part: Part
    name: str
    """Of the adaptor or gateway; empty where there is only one such part"""
    level: Level
    text: Text
    """How it is"""
    advice: Text | None = None
    """What to do"""
    since: datetime | None = None
    """When it last worked, or began to fail, as ``text`` says"""
    row_id: str | None = None
    """The adaptor or gateway that is to be looked at"""


def of_adaptors(adaptor_ids: Sequence[str]) -> list[Line]:
    """The health of these adaptors, which must be the reader's, and of what they share."""
    found = select(Adaptor).where(Adaptor.id.in_(adaptor_ids)).order_by(Adaptor.id)
    adaptors = list(db.session.scalars(found))
    several = len(adaptors) > 1
    lines = [source(one, one.name if several else "") for one in adaptors]
    lines += [_schedule(one, one.name if several else "") for one in adaptors]
    lines += [line for one in adaptors if (line := reconciliation(one, one.name if several else ""))]
    lines += [_gateway(one, adaptor_ids) for one in _in_use(adaptors)]
    lines += _expiries(adaptors)
    lines += [_mail(one) for one in {one.subscription_id for one in adaptors}]
    return [*lines, *stuck(adaptor_ids), *_archive(adaptor_ids), workers()]


def source(adaptor: Adaptor, name: str = "") -> Line:
    """Whether its accounting system answers."""

    def line(level: Level, text: Text, advice: Text | None = None, since: datetime | None = None) -> Line:
        return Line(Part.SOURCE, name, level, text, advice, since, adaptor.id)

    if not standing.is_working(adaptor):
        return line(
            Level.REST, Text("Adaptoren er slået fra; intet hentes.", "The adaptor is switched off; nothing is read.")
        )
    if adaptor.organization is None:
        return line(Level.BAD, _NOT_CONNECTED, Text("Indsæt et adgangstoken.", "Paste an access token."))
    if adaptor.source_error:
        return line(Level.BAD, Text(**adaptor.source_error), _SEE_SOURCE, adaptor.source_checked_at)
    if adaptor.source_checked_at is None:
        return line(Level.WATCH, _NEVER_READ, Text("Hent nye dokumenter.", "Fetch new documents."))
    return line(Level.GOOD, Text("Svarede sidst", "Last answered"), None, adaptor.source_checked_at)


_NOT_CONNECTED = Text("Ikke forbundet", "Not connected")
_SEE_SOURCE = Text("Se forbindelsen, og prøv den igen.", "Look at the connection and try it again.")
_NEVER_READ = Text("Intet er hentet endnu", "Nothing was read yet")


def _schedule(adaptor: Adaptor, name: str) -> Line:
    if not standing.is_working(adaptor):
        return schedule(adaptor, name, ())
    schedules = db.session.scalars(select(Schedule).where(Schedule.adaptor_id == adaptor.id)).all()
    return schedule(adaptor, name, schedules, *_newest_claim(adaptor.id))


def schedule(
    adaptor: Adaptor, name: str, schedules: Sequence[Schedule], claim: ScheduleRun | None = None, run: Run | None = None
) -> Line:
    """Whether it runs when it should; ``claim`` is the newest due time that was seen to, ``run`` its run."""

    def line(level: Level, text: Text, advice: Text | None = None, since: datetime | None = None) -> Line:
        return Line(Part.SCHEDULE, name, level, text, advice, since, adaptor.id)

    if not standing.is_working(adaptor):
        return line(Level.REST, Text("Adaptoren er slået fra.", "The adaptor is switched off."))
    if not schedules:
        return line(Level.REST, _NO_SCHEDULE, _MAKE_ONE)
    due = min((one.next_at for one in schedules if one.next_at), default=None)
    if due is None:
        return line(Level.REST, _PAUSED_SCHEDULE, _SEE_SCHEDULE)
    if due < utcnow() - _LATE:
        return line(Level.BAD, _OVERDUE, _SEE_WORKERS, due)
    if run is not None and run.state is RunState.FAILED:
        return line(Level.BAD, _RUN_FAILED, _SEE_RUN, run.finished_at)
    if claim is not None and claim.outcome is Outcome.MISSED:
        return line(Level.WATCH, _MISSED, _SEE_SCHEDULE, claim.due_at)
    return line(Level.GOOD, Text("Næste kørsel", "Next run"), None, due)


def _newest_claim(adaptor_id: str) -> tuple[ScheduleRun | None, Run | None]:
    """The newest due time that was seen to, and its run."""
    claim = db.session.scalar(
        select(ScheduleRun)
        .where(ScheduleRun.adaptor_id == adaptor_id, ScheduleRun.outcome.is_not(None))
        .order_by(ScheduleRun.due_at.desc())
        .limit(1)
    )
    return claim, db.session.get(Run, claim.run_id) if claim and claim.run_id else None


_NO_SCHEDULE = Text("Ingen tidsplan: dokumenter hentes kun, når nogen beder om det.",
                    "No schedule: documents are read only when somebody asks for it.")  # fmt: skip
_MAKE_ONE = Text("Lav en tidsplan, hvis det skal ske af sig selv.", "Make a schedule if it should happen by itself.")
_OVERDUE = Text("En kørsel skulle være begyndt", "A run should have begun")
_SEE_WORKERS = Text("Se, om arbejderne svarer (nederst).", "See whether the workers answer (below).")
_RUN_FAILED = Text("Den sidste kørsel mislykkedes", "The last run failed")
_SEE_RUN = Text("Se under Kørsler, hvad der skete.", "See under Runs what happened.")


_PAUSED_SCHEDULE = Text("Tidsplanen er på pause", "The schedule is paused")
_MISSED = Text("Sidste planlagte kørsel blev ikke til noget", "The last planned run did not take place")
_SEE_SCHEDULE = Text("Se tidsplanen.", "Look at the schedule.")


def reconciliation(adaptor: Adaptor, name: str = "") -> Line | None:
    """Whether all that the source has approved is here; None where nothing is read anyway."""
    found = reconciled.report(adaptor) if standing.is_working(adaptor) else None
    if found is None:
        return None
    level = Level.BAD if found.is_late else Level.GOOD if found.is_well else Level.WATCH
    return Line(Part.RECONCILIATION, name, level, found.text, found.advice, found.since, adaptor.id)


def _in_use(adaptors: Sequence[Adaptor]) -> list[Gateway]:
    """Gateways that customers of these adaptors are sent by, and their default ones."""
    ids = [one.id for one in adaptors]
    by_rule = select(ExportRule.gateway_id).where(ExportRule.adaptor_id.in_(ids), ExportRule.active)
    defaults = [one.default_gateway_id for one in adaptors if one.default_gateway_id]
    return list(
        db.session.scalars(
            select(Gateway)
            .where(or_(Gateway.id.in_(by_rule), Gateway.id.in_(defaults)))
            .order_by(Gateway.name, Gateway.id)
        )
    )


def _gateway(gateway: Gateway, adaptor_ids: Sequence[str]) -> Line:
    stopped = gateway_trouble(gateway)
    if stopped is not None:
        return stopped
    success = _last_success(gateway.id, adaptor_ids)
    text = _NOTHING_SENT if success is None else Text("Sidst modtaget", "Last arrival")
    return Line(Part.GATEWAY, gateway.name, Level.GOOD, text, None, success, gateway.id)


def gateway_trouble(gateway: Gateway) -> Line | None:
    """Why nothing leaves by it; None where it works."""
    if gateway.is_paused:
        level = Level.WATCH if (gateway.paused_reason or {}).get("by") else Level.BAD
        return Line(Part.GATEWAY, gateway.name, level, _PAUSED, _RESUME, gateway.paused_at, gateway.id)
    if gateway.failing_since:
        return Line(Part.GATEWAY, gateway.name, Level.WATCH, _SILENT, _WAIT, gateway.failing_since, gateway.id)
    return None


_NOTHING_SENT = Text("Klar; intet er sendt de sidste 30 dage", "Ready; nothing was sent in the last 30 days")


_PAUSED = Text("På pause; det, der skal sendes, venter", "Paused; what is to be sent waits")
_RESUME = Text("Se hvorfor, og start den igen.", "See why, and start it again.")
_SILENT = Text("Svarer ikke; der prøves igen af sig selv", "Does not answer; it is tried again by itself")
_WAIT = Text(
    "Varer det mere end en dag, så kontrollér indstillingerne og spørg modtageren.",
    "If it lasts longer than a day, check the settings and ask the receiver.",
)


def _last_success(gateway_id: str, adaptor_ids: Sequence[str]) -> datetime | None:
    """Newest success among the newest documents: to look at all that ever arrived would take long."""
    newest = (
        select(Document.delivery_id)
        .where(
            Document.gateway_id == gateway_id, Document.adaptor_id.in_(adaptor_ids),
            Document.issue_date >= (utcnow() - _RECENT).date(), Document.status.in_(sorted(GROUPS["arrived"])),
        )
        .order_by(Document.issue_date.desc(), Document.id.desc())
        .limit(_NEWEST)
    )  # fmt: skip
    return db.session.scalar(select(func.max(Delivery.finished_at)).where(Delivery.id.in_(newest)))


def _expiries(adaptors: Sequence[Adaptor]) -> Iterator[Line]:
    """The first thing that ends of each gateway that is warned of; one line where nothing does."""
    first: dict[str, expiries.Ending] = {}
    for subscription_id in {one.subscription_id for one in adaptors}:
        for ending in expiries.soon(subscription_id):
            first.setdefault(ending.gateway.id, ending)
    for one in first.values():
        yield expiry(one)
    if not first:
        yield Line(Part.EXPIRY, "", Level.GOOD, _NOTHING_ENDS)


def expiry(one: expiries.Ending) -> Line:
    """That something of a gateway ends, or has ended."""
    over = one.level == 0
    text = Text(f"{one.label.da} {'udløb' if over else 'udløber'}", f"{one.label.en} {'ended' if over else 'ends'}")
    level = Level.BAD if one.level is not None and one.level <= 1 else Level.WATCH
    return Line(Part.EXPIRY, one.gateway.name, level, text, _RENEW, one.ends, one.gateway.id)


_RENEW = Text("Skaf et nyt, og læg det ind i gatewayen.", "Get a new one and put it into the gateway.")
_NOTHING_ENDS = Text("Intet, vi kender, udløber inden for 60 dage.", "Nothing that we know of ends within 60 days.")


def stuck(adaptor_ids: Sequence[str], now: datetime | None = None) -> Iterator[Line]:
    """What has stayed in its state too long, asked now: no worker is needed to see that none works."""
    late = ages.overdue(adaptor_ids, now or utcnow())
    if late:
        number = len(late)
        text = Text(
            f"{number} {'dokument er gået' if number == 1 else 'dokumenter er gået'} i stå; det første skulle være videre",
            f"{number} {'document has' if number == 1 else 'documents have'} come to a standstill; the first should have moved on",
        )
        yield Line(Part.STUCK, "", Level.BAD, text, _NOTHING_LOST, late[0].due_at)


_NOTHING_LOST = Text(
    "Intet er tabt. Se, om arbejderne svarer (nederst), og giv besked til den, der driver serveren.",
    "Nothing is lost. See whether the workers answer (below), and tell whoever runs the server.",
)


def _mail(subscription_id: str) -> Line:
    """Our own mails, by the newest of them."""

    def line(level: Level, text: Text, advice: Text | None = None, since: datetime | None = None) -> Line:
        return Line(Part.MAIL, "", level, text, advice, since)

    if not mailing.is_set_up():
        return line(Level.REST, _NO_MAIL, _SET_UP_MAIL)
    wanted = (Mail.state != MailState.FAILED) | Mail.error.is_not(None)
    newest = db.session.scalar(
        select(Mail).where(Mail.subscription_id == subscription_id, wanted).order_by(Mail.id.desc()).limit(1)
    )
    if newest is None:
        return line(Level.GOOD, Text("Klar; ingen mails er sendt endnu", "Ready; no mails were sent yet"))
    if newest.state in (MailState.FAILED, MailState.UNKNOWN):
        return line(
            Level.BAD,
            Text("Den seneste mail kom ikke afsted", "The newest mail did not leave"),
            _TELL_OPERATOR,
            newest.finished_at,
        )
    if newest.error is not None and newest.state is not MailState.SENT:
        return line(
            Level.WATCH,
            Text("Mailserveren svarer ikke; der prøves igen", "The mail server does not answer; it is tried again"),
        )
    return line(Level.GOOD, Text("Seneste mail", "Newest mail"), None, newest.finished_at or newest.created_at)


_NO_MAIL = Text("Der er ingen mailserver: beskeder står kun under Beskeder.",
                "There is no mail server: everything is told under Messages only.")  # fmt: skip
_SET_UP_MAIL = Text(
    "Den, der driver serveren, kan sætte en op (MAIL_URL).", "Whoever runs the server can set one up (MAIL_URL)."
)


def _archive(adaptor_ids: Sequence[str]) -> Iterator[Line]:
    hurt, sample = damage.of_adaptors(adaptor_ids), damage.last_sample()
    if hurt is not None:
        text = Text(f"{hurt.text.da} Set første gang", f"{hurt.text.en} First seen")
        yield Line(Part.ARCHIVE, "", Level.BAD, text, hurt.advice, hurt.since)
    elif sample is not None:
        yield Line(Part.ARCHIVE, "", Level.GOOD, damage.SOUND, None, sample)


def workers() -> Line:
    """Whether the clock ticks and somebody does what it asks for; both show in the newest tick."""
    try:
        tick = QueuedJob.fetch(TICK, connection=bell_connection(), serializer=JSONSerializer)
    except NoSuchJobError:
        return Line(Part.WORKERS, "", Level.BAD, _NO_TICK, _TELL_OPERATOR)
    except RedisError as error:
        log.warning("the queue cannot be asked for the last tick: %s", type(error).__name__)
        return Line(Part.WORKERS, "", Level.BAD, _NO_QUEUE, _TELL_OPERATOR)
    if tick.get_status(refresh=False) is JobStatus.FAILED:
        return Line(Part.WORKERS, "", Level.BAD, _FAULT, _TELL_OPERATOR)
    begun = tick.started_at or tick.created_at
    if utcnow() - begun > _SLOW:
        return Line(Part.WORKERS, "", Level.WATCH, _BUSY, None, begun)
    return Line(Part.WORKERS, "", Level.GOOD, Text("Arbejder; sidst set", "At work; last seen"), None, begun)


_NO_QUEUE = Text("Køen (Redis) kan ikke nås. Intet går tabt, men alt bliver forsinket.",
                 "The queue (Redis) cannot be reached. Nothing is lost, but everything is late.")  # fmt: skip
_NO_TICK = Text("Uret har ikke tikket det sidste minut: ur eller arbejder er standset, eller en lang opgave optager dem.",
                "The clock has not ticked within the last minute: clock or worker stopped, or a long task keeps them.")  # fmt: skip
_FAULT = Text("Det, uret beder om, mislykkes på grund af en fejl i programmet eller databasen.",
"What the clock asks for fails because of a fault in the program or the database.")  # fmt: skip
_BUSY = Text("Har travlt; sidst set", "Busy; last seen")
_TELL_OPERATOR = Text("Giv besked til den, der driver serveren, hvis det varer ved.",
                      "Tell whoever runs the server if it goes on.")  # fmt: skip
