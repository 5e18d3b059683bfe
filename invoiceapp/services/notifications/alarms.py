"""What is wrong with an adaptor itself: its source, its gateways, its runs, and what should have happened and has not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update

from invoiceapp.domain import silence
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text, Turn
from invoiceapp.models import ACTIVE_RUNS, Adaptor, Delivery, ExportRule, Gateway, Run, RunState, Tally, Watch, db
from invoiceapp.services.configuration import expiries
from invoiceapp.services.daily import calendar, problems, schedule_words, schedules
from invoiceapp.services.daily.causes import MOST_NUMBERS, Found, key_of
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.delivery import ages
from invoiceapp.services.export import standing
from invoiceapp.services.keeping import damage

from . import calling, words

#: Rules of the problems.
SOURCE, PAUSED, FAILING, RUN, MISSED, RECEIPT, SILENCE, EXPIRES, WEBHOOK, STUCK = (
    "source", "gateway-paused", "gateway-failing", "run-failed", "run-missed", "receipt-overdue", "silence", "expires",
    "webhook-off", "stuck",
)  # fmt: skip
ARCHIVE = "archive-damaged"
#: What a person paused is no alarm at once, nor is a partner that rests for a little while.
_BY_PERSON, _FAILING = timedelta(hours=24), timedelta(hours=1)
_ZONE = "Europe/Copenhagen"


def missed(now: datetime) -> dict[str, list[schedules.Overdue]]:
    """Runs that should have begun and did not, by adaptor."""
    found: dict[str, list[schedules.Overdue]] = {}
    for one in schedules.overdue(now):
        found.setdefault(one.schedule.adaptor_id, []).append(one)
    return found


def refresh(adaptor_id: str, missed: Sequence[schedules.Overdue], now: datetime) -> None:
    """Make the adaptor's open problems be what is wrong now. Safe to call twice and at the same time.

    ``missed``: see there.
    """
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, populate_existing=True)
        watch = session.get(Watch, adaptor_id, populate_existing=True)
        before = watch.alarms_at if watch else None
        found = of_adaptor(adaptor, watch, missed, now) if standing.is_working(adaptor) else []
        if watch is None:
            session.add(
                Watch(adaptor_id=adaptor_id, subscription_id=adaptor.subscription_id, escalate_hours=24, silence=True)
            )
    with transaction() as session:
        claimed = session.execute(
            update(Watch)
            .where(Watch.adaptor_id == adaptor_id, Watch.alarms_at.is_not_distinct_from(before))
            .values(alarms_at=now)
            .execution_options(synchronize_session=False)
        )
        if changed(claimed):
            problems.sync(adaptor_id, problems.ADAPTOR, found)


def of_adaptor(
    adaptor: Adaptor, watch: Watch | None, missed: Sequence[schedules.Overdue], now: datetime
) -> list[Found]:
    """All alarms of now."""
    gateways = _gateways(adaptor)
    found = [*_source(adaptor), *_run(adaptor), *_missed(missed), *_receipts(adaptor, now), *_webhook(adaptor)]
    found += [*_stuck(adaptor, now), *_archive(adaptor)]
    for gateway in gateways:
        found += [*_standing(gateway, now), *_endings(gateway, now)]
    if watch is None or watch.silence:
        found += _silence(adaptor, now)
    return found


def _gateways(adaptor: Adaptor) -> list[Gateway]:
    """Those that its customers or its new ones are sent through."""
    used = select(ExportRule.gateway_id).where(ExportRule.adaptor_id == adaptor.id, ExportRule.active)
    chosen = Gateway.id.in_(used) | (Gateway.id == adaptor.default_gateway_id)
    return list(db.session.scalars(select(Gateway).where(chosen).order_by(Gateway.id)))


def _alarm(
    rule: str, text: Text, *parts: str, turn: Turn = Turn.HERE, fix: str | None = None, gateway_id: str | None = None
) -> Found:
    return Found(key_of("alarm", rule, *parts), rule, text, turn.value, fix, gateway_id=gateway_id)


def _source(adaptor: Adaptor) -> Iterator[Found]:
    if adaptor.source_error:
        reason = words.text_of(adaptor.source_error)
        yield _alarm(
            SOURCE,
            Text(f"Der kan ikke hentes fakturaer: {reason.da}", f"No invoices can be read: {reason.en}"),
            fix="source.credentials",
        )


def _standing(gateway: Gateway, now: datetime) -> Iterator[Found]:
    if gateway.paused_at is not None:
        reason = gateway.paused_reason or {}
        if "by" in reason and now - gateway.paused_at < _BY_PERSON:
            return
        why, since = words.text_of(reason), words.moment(gateway.paused_at)
        yield _alarm(
            PAUSED,
            Text(
                f"Gatewayen »{gateway.name}« har holdt pause siden {since.da}, og det, der skal sendes, venter. {why.da}".strip(),
                f"The gateway “{gateway.name}” has been paused since {since.en}, and what is to be sent waits. {why.en}".strip(),
            ),
            gateway.id, fix="gateway.pause", gateway_id=gateway.id,
        )  # fmt: skip
    elif gateway.failing_since is not None and now - gateway.failing_since >= _FAILING:
        since = words.moment(gateway.failing_since)
        yield _alarm(
            FAILING,
            Text(
                f"Serveren bag gatewayen »{gateway.name}« har ikke svaret siden {since.da}. Vi prøver igen af os selv.",
                f"The server behind the gateway “{gateway.name}” has not answered since {since.en}. We try again by ourselves.",
            ),
            gateway.id, turn=Turn.RECEIVER, fix="gateway.host", gateway_id=gateway.id,
        )  # fmt: skip


def _endings(gateway: Gateway, now: datetime) -> Iterator[Found]:
    for one in expiries.endings(gateway, now):
        if one.level is None:
            continue
        day = one.ends.astimezone(ZoneInfo(_ZONE)).date()
        verb = Text("udløb", "ended") if one.level == 0 else Text("udløber", "ends")
        yield _alarm(
            EXPIRES,
            Text(
                f"{one.label.da} på gatewayen »{gateway.name}« {verb.da} {day:%d.%m.%Y}. Forny det, inden det stopper afsendelsen.",
                f"{one.label.en} of the gateway “{gateway.name}” {verb.en} on {day:%Y-%m-%d}. Renew it before it stops sending.",
            ),
            gateway.id, one.field, one.fingerprint, str(one.level), fix=f"gateway.{one.field}", gateway_id=gateway.id,
        )  # fmt: skip


def _run(adaptor: Adaptor) -> Iterator[Found]:
    """The newest run that ended, where it failed; one alarm for however many in a row."""
    run = db.session.scalar(
        select(Run).where(Run.adaptor_id == adaptor.id, Run.state.not_in(ACTIVE_RUNS)).order_by(Run.id.desc()).limit(1)
    )
    if run is None or run.state is not RunState.FAILED:
        return
    reason, when = words.text_of(run.error or {}), words.moment(run.finished_at or run.created_at)
    yield _alarm(
        RUN,
        Text(
            f"Kørslen {when.da} mislykkedes. {reason.da}".strip(), f"The run of {when.en} failed. {reason.en}".strip()
        ),
    )


def _missed(missed: Sequence[schedules.Overdue]) -> Iterator[Found]:
    for one in missed:
        plan, when = schedule_words.in_words(schedules.plan_of(one.schedule)), words.moment(one.due_at)
        yield _alarm(
            MISSED,
            Text(
                f"Kørslen {when.da} blev ikke til noget (planen »{plan.da}«). Start en kørsel selv, og sig det til den, der "
                "driver serveren, hvis det sker igen.",
                f"The run of {when.en} did not happen (schedule “{plan.en}”). Start a run yourself, and tell whoever runs the "
                "server if it happens again.",
            ),
            one.schedule.id,
        )


def _receipts(adaptor: Adaptor, now: datetime) -> Iterator[Found]:
    """Receipts that nobody looks for, such as behind a paused gateway; else the document itself needs a person."""
    rows = db.session.execute(
        select(Gateway.id, Gateway.name, func.count(), func.min(Delivery.next_at))
        .join(Gateway, Gateway.id == Delivery.gateway_id)
        .where(
            Delivery.subscription_id == adaptor.subscription_id, Delivery.adaptor_id == adaptor.id,
            Delivery.state == DeliveryState.ACCEPTED, Delivery.next_at < now - _FAILING,
        )
        .group_by(Gateway.id, Gateway.name)
        .order_by(Gateway.id)
    )  # fmt: skip
    for gateway_id, name, number, due_at in rows:
        due = words.moment(due_at or now)
        yield _alarm(
            RECEIPT,
            Text(
                f"{number} {'dokument mangler sin' if number == 1 else 'dokumenter mangler deres'} kvittering fra »{name}«. Den "
                f"første skulle være kommet {due.da}.",
                f"{number} {'document has' if number == 1 else 'documents have'} no receipt from “{name}”. The first should have "
                f"come on {due.en}.",
            ),
            gateway_id, fix="gateway.pause", gateway_id=gateway_id,
        )  # fmt: skip


def _stuck(adaptor: Adaptor, now: datetime) -> Iterator[Found]:
    """What should have left long ago, for no reason that is told elsewhere. Receipts have an alarm of their own."""
    late = [one for one in ages.overdue([adaptor.id], now) if one.state is not DeliveryState.ACCEPTED]
    if not late:
        return
    number, due = len(late), words.moment(late[0].due_at)
    text = Text(
        f"{number} {'dokument er gået' if number == 1 else 'dokumenter er gået'} i stå uden kendt grund. Det, der har ventet "
        f"længst, skulle være sendt {due.da}. Intet er tabt. Giv besked til den, der driver serveren.",
        f"{number} {'document has' if number == 1 else 'documents have'} come to a standstill for no known reason. The one that "
        f"has waited longest should have been sent on {due.en}. Nothing is lost. Tell whoever runs the server.",
    )
    numbers = tuple(one.number for one in late[:MOST_NUMBERS])
    yield replace(_alarm(STUCK, text, turn=Turn.OPERATOR), numbers=numbers)


def _archive(adaptor: Adaptor) -> Iterator[Found]:
    hurt = damage.of_adaptors([adaptor.id])
    if hurt is not None:
        text = Text(f"{hurt.text.da} {hurt.advice.da}", f"{hurt.text.en} {hurt.advice.en}")
        yield _alarm(ARCHIVE, text, turn=Turn.OPERATOR)


def _webhook(adaptor: Adaptor) -> Iterator[Found]:
    row = calling.of_adaptor(adaptor.id)
    if row is not None and row.off_at is not None:
        when = words.moment(row.off_at)
        yield _alarm(
            WEBHOOK,
            Text(
                f"Webhooken blev slået fra {when.da}, fordi adressen ikke tog imod noget. Ret adressen, og slå den til igen.",
                f"The webhook was switched off on {when.en}, because the address took nothing. Correct the address, and switch "
                "it on again.",
            ),
            row.off_at.isoformat(), fix="notifications.webhook",
        )  # fmt: skip


def _silence(adaptor: Adaptor, now: datetime) -> Iterator[Found]:
    today = now.astimezone(ZoneInfo(_ZONE)).date()
    days = invoiced_days(adaptor.id)
    if not days:
        return
    first, last = max(min(days), max(days) - silence.LEARNT_FROM), today
    holidays = {
        day
        for number in range((last - first).days + 1)
        if calendar.holiday_name(day := first + timedelta(days=number)) is not None
    }
    found = silence.judge(days, today, holidays)
    if found is None:
        return
    yield _alarm(
        SILENCE,
        Text(
            f"Der er ingen fakturaer siden {found.last:%d.%m.%Y}. Det er {found.days} arbejdsdage; der plejer højst at gå "
            f"{found.usual}. Er der stadig fakturaer på vej, så se efter i regnskabssystemet, om de er godkendt.",
            f"There are no invoices since {found.last:%Y-%m-%d}. That is {found.days} working days; usually it is at most "
            f"{found.usual}. If there should be invoices, see in the accounting system whether they are approved.",
        ),
        found.last.isoformat(), turn=Turn.SOURCE,
    )  # fmt: skip


def invoiced_days(adaptor_id: str) -> list[date]:
    """Days on which documents were issued."""
    query = (
        select(Tally.day)
        .where(Tally.adaptor_id == adaptor_id)
        .group_by(Tally.day)
        .having(func.sum(Tally.documents) > 0)
    )
    return list(db.session.scalars(query.order_by(Tally.day)))
