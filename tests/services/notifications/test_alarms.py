from __future__ import annotations

import hashlib
from datetime import date, timedelta

import pytest
from sqlalchemy import delete, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Damage,
    DamagedFile,
    NoticeKind,
    Problem,
    Run,
    RunState,
    Watch,
    Webhook,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.daily.schedules import Overdue
from invoiceapp.services.notifications import alarms, noticing, preferences

WORDS = {"da": "Billy kender ikke tokenet.", "en": "Billy does not know the token."}


def look(told, missed=()) -> list[str]:
    """What is wrong with the adaptor, in Danish; kept as problems."""
    alarms.refresh(told.adaptor_id, missed, told.now)
    rows = db.session.scalars(
        select(Problem).where(Problem.level == "adaptor", Problem.resolved_at.is_(None)).order_by(Problem.id)
    )
    return [row.text["da"] for row in rows]


@pytest.fixture
def used(gateway, adaptor):
    """The gateway, by which the adaptor sends."""
    adaptor.default_gateway_id = gateway.id
    db.session.commit()
    return gateway


def test_an_adaptor_with_which_all_is_well_has_no_alarm(told, used):
    assert look(told) == []


def test_a_source_that_cannot_be_read_is_one_alarm_until_it_can(told, adaptor):
    adaptor.source_error = WORDS
    db.session.commit()
    assert look(told) == look(told) == ["Der kan ikke hentes fakturaer: Billy kender ikke tokenet."]
    adaptor.source_error = None
    db.session.commit()
    assert look(told) == []


def test_a_gateway_is_told_of_that_rests_or_does_not_answer_for_an_hour(told, used):
    used.failing_since = told.now - timedelta(minutes=59)
    db.session.commit()
    assert look(told) == []
    told.wait(minutes=1)
    assert look(told) == [
        "Serveren bag gatewayen »SFTP« har ikke svaret siden 23.11.2026 kl. 09.01. Vi prøver igen af os selv."
    ]
    used.paused_at, used.paused_reason = told.now, WORDS
    db.session.commit()
    assert look(told) == [
        "Gatewayen »SFTP« har holdt pause siden 23.11.2026 kl. 10.01, og det, der skal sendes, venter. Billy kender ikke tokenet."
    ]


def test_what_a_person_paused_is_told_a_day_later(told, used):
    used.paused_at, used.paused_reason = told.now, {**WORDS, "by": "ejer@example.com"}
    db.session.commit()
    assert look(told.wait(hours=23)) == []
    assert len(look(told.wait(hours=1))) == 1


def test_a_failed_run_is_an_alarm_until_one_succeeds(told):
    for state in (RunState.FAILED, RunState.FAILED):
        row = Run(
            id=new_id(), subscription_id=told.subscription_id, adaptor_id=told.adaptor_id, trigger="schedule", state=state,
            error=WORDS, finished_at=told.now,
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        assert look(told) == ["Kørslen 23.11.2026 kl. 10.00 mislykkedes. Billy kender ikke tokenet."]
    row.state = RunState.FINISHED
    db.session.commit()
    assert look(told) == []
    assert len(db.session.scalars(select(Problem)).all()) == 1


def test_a_run_that_did_not_happen_is_an_alarm(told, make_schedule):
    row = make_schedule()
    text = look(told, [Overdue(row, told.now, None)])[0]
    assert text.startswith("Kørslen 23.11.2026 kl. 10.00 blev ikke til noget (planen »Hver dag kl. 08.00«).")


@pytest.fixture
def make_schedule(told):
    from datetime import time

    from invoiceapp.domain.schedules import Kind, Timing
    from invoiceapp.models import Schedule

    def make():
        row = Schedule(
            subscription_id=told.subscription_id, adaptor_id=told.adaptor_id, next_at=told.now - timedelta(hours=1),
            timing=Timing(Kind.DAILY, times=(time(8),)).to_json(),
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row

    return make


def test_the_alarms_hear_of_overdue_runs_by_themselves(told, make_schedule):
    make_schedule()
    db.session.get_one(Watch, told.adaptor_id).alarms_at = None
    db.session.commit()
    noticing.notice_due(told.now)
    assert [notice.title["da"].split(" (")[0] for notice in told.notices()] == [
        "Kørslen 23.11.2026 kl. 09.00 blev ikke til noget"
    ]


def test_receipts_that_nobody_looks_for_are_an_alarm(told, ready):
    for number in ("1", "2"):
        ready(number, DeliveryState.ACCEPTED, next_at=told.now - timedelta(hours=2))
    ready("3", DeliveryState.ACCEPTED, next_at=None)
    assert look(told) == [
        "2 dokumenter mangler deres kvittering fra »SFTP«. Den første skulle være kommet 23.11.2026 kl. 08.00."
    ]


def test_what_ends_soon_is_told_at_each_step_and_is_not_solved_by_time(told, used):
    ends = told.now + timedelta(days=29)
    used.expiries = [
        {
            "field": "certificate",
            "da": "Certifikatet",
            "en": "The certificate",
            "ends": ends.isoformat(),
            "fingerprint": "f",
        }
    ]
    used.expiries_at = utcnow()
    db.session.commit()
    assert look(told) == [
        "Certifikatet på gatewayen »SFTP« udløber 22.12.2026. Forny det, inden det stopper afsendelsen."
    ]
    told.notice()
    told.wait(days=20)
    look(told)
    told.notice()
    look(told)
    told.wait(days=3)
    look(told)
    told.notice()
    assert [notice.kind for notice in told.notices()] == [NoticeKind.OPENED] * 3
    used.expiries = []
    db.session.commit()
    look(told)
    told.notice()
    assert told.notices()[-1].kind is NoticeKind.RESOLVED


@pytest.fixture
def invoicing(told, make_customer, make_document):
    """Two invoices a week from August until 13 November, a Friday."""
    customer, day = make_customer(), date(2026, 8, 4)
    while day <= date(2026, 11, 13):
        if day.weekday() in (1, 4):
            make_document(customer, str(day), issue_date=day)
        day += timedelta(days=1)
    return lambda day: make_document(customer, str(day), issue_date=day)


def test_a_company_that_normally_invoices_and_has_not_is_an_alarm_once(told, invoicing):
    assert look(told) == []
    told.wait(days=1)
    expected = (
        "Der er ingen fakturaer siden 13.11.2026. Det er 6 arbejdsdage; der plejer højst at gå 2. Er der stadig fakturaer på vej, "
        "så se efter i regnskabssystemet, om de er godkendt."
    )
    assert look(told) == [expected]
    told.notice()
    assert look(told.wait(days=7)) != [expected] and len(db.session.scalars(select(Problem)).all()) == 1
    invoicing(told.now.date())
    assert look(told) == []
    told.notice()
    assert [notice.kind for notice in told.notices()] == [NoticeKind.OPENED, NoticeKind.RESOLVED]


def test_who_does_not_want_to_hear_of_silence_does_not(told, invoicing):
    preferences.save_watch(told.subscription_id, told.adaptor_id, None, "24", False)
    assert look(told.wait(days=30)) == []


def test_an_adaptor_that_is_switched_off_has_no_alarms(told, adaptor):
    adaptor.source_error, adaptor.active = WORDS, False
    db.session.commit()
    assert look(told) == []


def test_a_webhook_that_was_switched_off_is_an_alarm(told):
    db.session.add(
        Webhook(subscription_id=told.subscription_id, adaptor_id=told.adaptor_id, url="https://a.example", active=False,
                off_at=told.now)
    )  # fmt: skip
    db.session.commit()
    assert look(told)[0].startswith("Webhooken blev slået fra 23.11.2026 kl. 10.00")


def test_what_nobody_moves_is_told_of_with_its_numbers_until_it_moves(told, used, ready):
    row = ready("1001", next_at=told.now - timedelta(hours=1, minutes=59))
    assert look(told) == []
    told.wait(minutes=2)
    [text] = look(told)
    assert text.startswith("1 dokument er gået i stå uden kendt grund.")
    problem = db.session.scalars(select(Problem).where(Problem.rule == alarms.STUCK)).one()
    assert (problem.turn, problem.numbers) == ("operator", ["1001"])
    row.next_at = told.now
    db.session.commit()
    assert look(told) == []


def test_a_damaged_archive_is_an_alarm_for_whoever_runs_the_server_until_it_is_well(told, adaptor, ready):
    ready("1001")
    db.session.add(DamagedFile(sha256=hashlib.sha256(b"<Invoice>1001</Invoice>").hexdigest(), damage=Damage.CHANGED))
    db.session.commit()
    (text,) = [one for one in look(told) if "arkivet" in one]
    assert text.startswith(
        "1 dokument har filer i arkivet, som mangler eller er ændret: 1001. Intet ændret bliver sendt."
    )
    problem = db.session.scalars(select(Problem).where(Problem.rule == alarms.ARCHIVE)).one()
    assert problem.turn == "operator"
    db.session.execute(delete(DamagedFile))
    db.session.commit()
    assert [one for one in look(told) if "arkivet" in one] == []
