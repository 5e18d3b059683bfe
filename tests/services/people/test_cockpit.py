"""The accountant's cockpit: what makes a line red, amber or green, and that only what a person may see counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Gateway,
    Membership,
    Problem,
    Role,
    Run,
    RunState,
    Subscription,
    Tally,
    User,
    db,
    new_id,
    utcnow,
)
from invoiceapp.models.schedule import Outcome, Schedule, ScheduleRun
from invoiceapp.services.daily import health
from invoiceapp.services.people import cockpit
from invoiceapp.services.people.cockpit import Light, OfSubscription

S = DeliveryState
AT_WORK = health.Line(health.Part.WORKERS, "", health.Level.GOOD, Text("Arbejder", "At work"))
DOWN = health.Line(health.Part.WORKERS, "", health.Level.BAD, Text("Standset", "Stopped"))


@pytest.fixture
def has_pages() -> bool:
    return False


@pytest.fixture
def well(adaptor: Adaptor, make_schedule: Callable[..., Schedule]) -> Adaptor:
    """Connected, read just now, with a schedule."""
    adaptor.source_checked_at = utcnow()
    make_schedule(next_at=utcnow() + timedelta(hours=1))
    db.session.commit()
    return adaptor


def look(user: User, name: str = "", workers: health.Line = AT_WORK) -> list[OfSubscription]:
    db.session.expire_all()
    members = db.session.scalars(select(Membership).where(Membership.user_id == user.id).order_by(Membership.id)).all()
    return cockpit.lines(cockpit.seen(members, name), workers)


def the_line(user: User, workers: health.Line = AT_WORK) -> OfSubscription:
    return next(one for one in look(user, workers=workers) if one.adaptors)


def problem(adaptor: Adaptor, **columns: Any) -> Problem:
    values = {"key": new_id(), "rule": "BR-1", "text": {"da": "Mangler", "en": "Missing"}, "turn": "here", **columns}
    row = Problem(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, **values)
    db.session.add(row)
    db.session.commit()
    return row


def company(user: User, name: str, role: Role = Role.OWNER, adaptors: int = 1, **columns: Any) -> list[Adaptor]:
    row = Subscription(name=name)
    db.session.add(row)
    db.session.flush()
    db.session.add(Membership(subscription_id=row.id, user_id=user.id, role=role))
    made = [
        Adaptor(
            subscription_id=row.id, name=f"{name} {number}", source_kind="billy", settings={}, organization={"id": "o"},
            source_checked_at=utcnow(), **columns,
        )
        for number in range(adaptors)
    ]  # fmt: skip
    db.session.add_all(made)
    db.session.commit()
    return made


def test_all_well_is_green_and_nothing_is_next(user, well):
    one = the_line(user)
    assert (one.light, one.worst.line, one.worst.problem) == (Light.GREEN, None, None)


def red_source(adaptor: Adaptor, _gateway: Gateway) -> health.Part:
    adaptor.source_error = {"da": "Afvist", "en": "Refused"}
    return health.Part.SOURCE


def not_connected(adaptor: Adaptor, _gateway: Gateway) -> health.Part:
    adaptor.organization = None
    return health.Part.SOURCE


def overdue(adaptor: Adaptor, _gateway: Gateway) -> health.Part:
    db.session.execute(update(Schedule).values(next_at=utcnow() - timedelta(hours=2)))
    return health.Part.SCHEDULE


def failed_run(adaptor: Adaptor, _gateway: Gateway) -> health.Part:
    schedule = db.session.scalars(select(Schedule)).one()
    for hours, state in ((30, RunState.FINISHED), (1, RunState.FAILED)):
        run = Run(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="schedule", state=state)
        db.session.add(run)
        db.session.flush()
        db.session.add(
            ScheduleRun(
                schedule_id=schedule.id, adaptor_id=adaptor.id, due_at=utcnow() - timedelta(hours=hours),
                outcome=Outcome.STARTED, run_id=run.id,
            )
        )  # fmt: skip
    return health.Part.SCHEDULE


def refused(adaptor: Adaptor, gateway: Gateway) -> health.Part:
    adaptor.default_gateway_id, gateway.paused_at, gateway.paused_reason = gateway.id, utcnow(), {"da": "x", "en": "x"}
    return health.Part.GATEWAY


def ended(adaptor: Adaptor, gateway: Gateway) -> health.Part:
    return ends_in(adaptor, gateway, -1)


def ends_soon(adaptor: Adaptor, gateway: Gateway) -> health.Part:
    return ends_in(adaptor, gateway, 20)


def ends_in(adaptor: Adaptor, gateway: Gateway, days: int) -> health.Part:
    ends = (utcnow() + timedelta(days=days)).isoformat()
    adaptor.default_gateway_id = gateway.id
    gateway.expiries = [{"field": "certificate", "da": "Certifikatet", "en": "The certificate", "ends": ends}]
    return health.Part.EXPIRY


def paused_by_a_person(adaptor: Adaptor, gateway: Gateway) -> health.Part:
    refused(adaptor, gateway)
    gateway.paused_reason = {"da": "x", "en": "x", "by": "ejer@example.com"}
    return health.Part.GATEWAY


def paused_schedule(adaptor: Adaptor, _gateway: Gateway) -> health.Part:
    db.session.execute(update(Schedule).values(active=False, next_at=None))
    return health.Part.SCHEDULE


def old(adaptor: Adaptor, _gateway: Gateway) -> health.Part:
    adaptor.source_checked_at = utcnow() - timedelta(days=8)
    return health.Part.SOURCE


@pytest.mark.parametrize("harm", [red_source, not_connected, overdue, failed_run, refused, ended])
def test_what_is_down_is_red_and_is_what_to_do_next(user, well, gateway, harm):
    part = harm(well, gateway)
    db.session.commit()
    one = the_line(user)
    assert (one.light, one.worst.line.part) == (Light.RED, part)


@pytest.mark.parametrize("harm", [ends_soon, paused_by_a_person, paused_schedule, old])
def test_what_somebody_should_know_is_amber(user, well, gateway, harm):
    part = harm(well, gateway)
    db.session.commit()
    one = the_line(user)
    assert (one.light, one.worst.line.part) == (Light.AMBER, part)


@pytest.mark.parametrize("state", [S.BLOCKED, S.FAILED, S.REJECTED, S.OUTCOME_UNKNOWN])
def test_a_document_that_waits_for_somebody_makes_it_red(
    user, well, make_customer, make_document, make_delivery, state
):
    make_delivery(make_document(make_customer()), state)
    one = the_line(user)
    assert (one.light, one.person) == (Light.RED, 1)


def test_background_work_that_is_down_is_red_where_something_should_work(user, well):
    one = the_line(user, DOWN)
    assert (one.light, one.worst.line) == (Light.RED, DOWN)
    busy = health.Line(health.Part.WORKERS, "", health.Level.WATCH, Text("Travl", "Busy"))
    assert the_line(user, busy).light is Light.GREEN
    well.active = False
    db.session.commit()
    assert the_line(user, DOWN).light is Light.REST


def test_the_next_problem_is_the_first_of_the_list(user, well):
    problem(well, documents=9, resolved_at=utcnow())
    few, many = problem(well, documents=1), problem(well, documents=7)
    assert the_line(user).worst.problem.id == many.id
    of_all = problem(well, level="adaptor", documents=0)
    assert the_line(user).worst.problem.id == of_all.id
    assert few.id != many.id and the_line(user).light is Light.RED


def test_documents_are_counted_as_the_list_counts_them(user, well, make_customer, make_document, make_delivery):
    customer, today = make_customer(), utcnow().date()
    sent = [utcnow() - timedelta(hours=hours) for hours in (3, 1)]
    for number, (state, day) in enumerate(
        [(S.DELIVERED, today), (S.ACCEPTED, today - timedelta(days=7)), (S.DELIVERED, today - timedelta(days=8)),
         (S.PENDING, today), (S.FAILED, date(2020, 1, 1))]
    ):  # fmt: skip
        make_delivery(
            make_document(customer, str(number), issue_date=day), state, first_sent_at=sent[number] if number < 2 else None
        )  # fmt: skip
    one = the_line(user)
    assert (one.person, one.progress, one.arrived) == (1, 1, 2)
    assert one.exported_at == sent[1]


def test_only_what_the_person_may_see_counts(user, subscription, adaptor):
    hidden, shown = company(user, "B", Role.MEMBER, adaptors=2)
    hidden.grants, shown.grants = [], [{"to": "user", "id": user.id, "level": "viewer"}]
    problem(hidden, documents=3)
    for row in (hidden, shown):
        db.session.add(Tally(adaptor_id=row.id, day=utcnow().date(), status="failed", documents=4, is_news=False))
    db.session.commit()
    one = next(one for one in look(user) if one.subscription.name == "B")
    assert ([part.adaptor.id for part in one.adaptors], one.person) == ([shown.id], 4)
    assert one.worst.problem is None


def test_a_gateway_that_the_person_may_not_see_is_told_without_a_way_to_it(user):
    (adaptor,) = company(user, "B", Role.MEMBER)
    gateway = Gateway(
        subscription_id=adaptor.subscription_id, name="SFTP", kind="sftp", grants=[], expiries_at=utcnow()
    )
    db.session.add(gateway)
    db.session.flush()
    refused(adaptor, gateway)
    db.session.commit()
    one = the_line(user).worst
    assert (one.line.part, one.may_see_line) == (health.Part.GATEWAY, False)
    gateway.grants = [{"to": "everybody", "level": "viewer"}]
    db.session.commit()
    assert the_line(user).worst.may_see_line


def test_the_worst_stands_first_and_what_waits_for_somebody_before_what_is_only_late(user, well):
    names = {"Grøn": {}, "Sluk": {"active": False}, "Død": {"source_error": {"da": "x", "en": "x"}}, "Anden": {}}
    made = {name: company(user, name, **columns)[0] for name, columns in names.items()}
    problem(made["Grøn"], documents=2)
    company(user, "Tom", adaptors=0)
    found = look(user)
    assert [(one.subscription.name, one.light) for one in found] == [
        ("Grøn", Light.RED), ("Død", Light.RED), ("Anden", Light.GREEN), ("Eksempel ApS", Light.GREEN),
        ("Sluk", Light.REST), ("Tom", Light.REST),
    ]  # fmt: skip
    assert [one.subscription.name for one in look(user, " DØ ")] == ["Død"]


def statements(act: Callable[[], object]) -> int:
    counted: list[str] = []

    def count(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        counted.append(sql)

    event.listen(db.engine, "before_cursor_execute", count)
    act()
    event.remove(db.engine, "before_cursor_execute", count)
    return len([sql for sql in counted if sql.startswith("SELECT")])


def test_three_hundred_companies_cost_as_many_statements_as_one(user, well, gateway):
    def ask() -> None:
        found = look(user)
        assert all(one.light for one in found)

    well.default_gateway_id = gateway.id
    db.session.commit()
    few = statements(ask)
    for number in range(300):
        subscription = Subscription(name=f"Firma {number}")
        db.session.add(subscription)
        db.session.flush()
        db.session.add(Membership(subscription_id=subscription.id, user_id=user.id, role=Role.OWNER))
        way = Gateway(
            subscription_id=subscription.id, name="A", kind="sftp", expiries_at=utcnow(), failing_since=utcnow()
        )
        db.session.add(way)
        db.session.flush()
        db.session.add(
            Adaptor(
                subscription_id=subscription.id, name="A", source_kind="billy", settings={}, organization={"id": "o"},
                source_checked_at=utcnow(), default_gateway_id=way.id,
            )
        )  # fmt: skip
    db.session.commit()
    assert statements(ask) == few < 20
    assert len(look(user)) == 301


def test_the_poll_asks_little_and_sees_every_move(user, well, make_customer, make_document, make_delivery, monkeypatch):
    monkeypatch.setattr(cockpit, "_OLDEST", 10**12)

    def version() -> str:
        db.session.expire_all()
        members = db.session.scalars(select(Membership).where(Membership.user_id == user.id)).all()
        return cockpit.version(cockpit.seen(members))

    seen = [version()]
    assert version() == seen[0]
    delivery = make_delivery(make_document(make_customer()), S.PENDING)
    seen.append(version())
    db.session.execute(update(Delivery).where(Delivery.id == delivery.id).values(state=S.FAILED))
    db.session.commit()
    seen.append(version())
    problem(well, documents=1)
    seen.append(version())
    well.source_error = {"da": "x", "en": "x"}
    db.session.commit()
    seen.append(version())
    assert len(set(seen)) == len(seen)
    assert statements(version) <= 8
