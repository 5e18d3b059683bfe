"""After a restore the world has moved on: what was under way may have ended long ago, and nobody here knows how.

So nothing of it goes on by itself. Deliveries that had not ended are ``outcome_unknown``, what waited for its conversion is
only listed, runs and jobs have ended, mails and webhooks are not sent, schedules wait for a person. Everybody signs in
anew. Statements name tables and columns, not models, because the tables are those of the backup's revision.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from babel.dates import format_datetime
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import ACTIVE_JOBS, ACTIVE_RUNS, Stage, new_id
from invoiceapp.models.sent_number import normal_number, seller_in, seller_of, sent_as
from invoiceapp.models.types import Json, UtcDateTime
from invoiceapp.services.errors import text_dict

S = DeliveryState
#: Deliveries that have not ended, and those that failed, which a person may have tried again since. One that was accepted
#: has ended, unless a later receipt was awaited. What was rejected or cancelled goes once more only with a reason.
_OPEN = (S.BLOCKED, S.PENDING, S.LEASED, S.SENDING, S.OUTCOME_UNKNOWN, S.FAILED)
_BATCH = 500
#: Numbers of interchanges that may have been given since the backup: none is given twice.
SKIPPED_NUMBERS = 1000
_ZONE = "Europe/Copenhagen"


@dataclass(frozen=True, slots=True)
class Aftermath:
    """How much was set aside."""

    unknown: int
    """Deliveries"""
    listed: int
    """Documents that waited for their conversion"""
    ended: int
    """Runs and jobs"""
    unsent: int
    """Mails and calls of webhooks"""
    schedules: int


def _table(name: str, **columns: Any) -> sa.TableClause:
    return sa.table(name, *(sa.column(column, kind) for column, kind in columns.items()))


_TEXT, _WHEN, _JSON, _NUMBER = sa.Text(), UtcDateTime(), Json(), sa.Integer()
_DELIVERY = _table(
    "delivery", id=_TEXT, subscription_id=_TEXT, document_id=_TEXT, run_id=_TEXT, state=_TEXT, next_at=_WHEN, error=_JSON,
    lease_owner=_TEXT, fence=_NUMBER, finished_at=_WHEN, updated_at=_WHEN, environment=_TEXT,
)  # fmt: skip
_DOCUMENT = _table(
    "document", id=_TEXT, subscription_id=_TEXT, run_id=_TEXT, stage=_TEXT, lease_until=_WHEN, lease_token=_TEXT, error=_JSON,
)  # fmt: skip
_DOCUMENT_NUMBER = _table(
    "document", id=_TEXT, subscription_id=_TEXT, adaptor_id=_TEXT, type=_TEXT, number=_TEXT, sent_as=_TEXT
)
_ADAPTOR_BOOKS = _table("adaptor", id=_TEXT, source_kind=_TEXT, organization=_JSON)
_NUMBER_TAKEN = _table(
    "sent_number", subscription_id=_TEXT, environment=_TEXT, seller=_TEXT, type=_TEXT, number=_TEXT, document_id=_TEXT,
    taken_at=_WHEN,
)  # fmt: skip
_EVENT = _table(
    "event", id=_TEXT, created_at=_WHEN, subscription_id=_TEXT, document_id=_TEXT, delivery_id=_TEXT, run_id=_TEXT, actor=_TEXT,
    kind=_TEXT, data=_JSON,
)  # fmt: skip
_WORK = {"state": _TEXT, "error": _JSON, "finished_at": _WHEN, "lease_until": _WHEN, "lease_token": _TEXT}
_RUN = _table("run", again_by=_TEXT, **_WORK)
_JOB = _table("job", **_WORK)
_FOUND = _table("found_document", chosen_at=_WHEN, outcome=_TEXT, text=_JSON)
_SCHEDULE = _table("schedule", id=_TEXT, subscription_id=_TEXT, active=sa.Boolean(), next_at=_WHEN)
_CLAIM = _table("schedule_run", outcome=_TEXT)
_MAIL = _table("mail", state=_TEXT, error=_JSON, finished_at=_WHEN, next_at=_WHEN, kind=_TEXT, text=_TEXT, html=_TEXT)
_NOTICE = _table("notice", mail_at=_WHEN, mail_id=_TEXT)
_CALL = _table("webhook_call", state=_TEXT, error=_JSON, finished_at=_WHEN, next_at=_WHEN)
_SUBSCRIPTION = _table("subscription", id=_TEXT)
_ADAPTOR = _table("adaptor", restored_at=_WHEN)
_SEQUENCE = _table("interchange_sequence", last=_NUMBER)
_USER = _table("user_account", id=_TEXT, fs_uniquifier=_TEXT)
_INVITATION = _table("invitation", accepted_at=_WHEN, withdrawn_at=_WHEN)
_RESTORATION = _table(
    "restoration", id=_TEXT, created_at=_WHEN, subscription_id=_TEXT, taken_at=_WHEN, unknown=_NUMBER, listed=_NUMBER,
    schedules=_JSON,
)  # fmt: skip


def words(taken_at: datetime) -> Text:
    """Why nobody knows."""
    moments = [format_datetime(taken_at, "medium", tzinfo=_tz(), locale=locale) for locale in ("da_DK", "en_GB")]
    return Text(
        f"Gendannet fra en sikkerhedskopi taget {moments[0]}; hvad der skete siden, ved vi ikke. Spørg modtageren, før noget "
        "sendes igen.",
        f"Restored from a backup taken {moments[1]}; what has happened since is not known. Ask the receiver before anything is "
        "sent again.",
    )


def _tz() -> Any:
    from babel.dates import get_timezone

    return get_timezone(_ZONE)


def set_aside(connection: Connection, taken_at: datetime, now: datetime) -> Aftermath:
    """Do it all, in the caller's transaction, to everything that was loaded."""
    why = text_dict(words(taken_at))
    unknown, listed = _end_deliveries(connection, why, now), _unqueue(connection, why, now)
    ended = _end_work(connection, why, now)
    unsent = _send_nothing(connection, why, now)
    _keep_numbers(connection, now)
    paused = _pause(connection)
    connection.execute(sa.update(_ADAPTOR).values(restored_at=now))
    connection.execute(sa.update(_SEQUENCE).values(last=_SEQUENCE.c.last + SKIPPED_NUMBERS))
    _sign_everybody_out(connection, now)
    for (subscription_id,) in connection.execute(sa.select(_SUBSCRIPTION.c.id)).all():
        connection.execute(
            sa.insert(_RESTORATION).values(
                id=new_id(), created_at=now, subscription_id=subscription_id, taken_at=taken_at,
                unknown=unknown.get(subscription_id, 0), listed=listed.get(subscription_id, 0),
                schedules=paused.get(subscription_id, []),
            )
        )  # fmt: skip
    return Aftermath(
        sum(unknown.values()), sum(listed.values()), ended, unsent, sum(len(ids) for ids in paused.values())
    )  # fmt: skip


def _batches(connection: Connection, table: sa.TableClause, condition: Any, *columns: str) -> Iterator[list[Any]]:
    """Rows in the order of their ids, some at a time; the caller changes them meanwhile."""
    after = ""
    while found := connection.execute(
        sa.select(*(table.c[name] for name in ("id", *columns)))
        .where(condition, table.c.id > after)
        .order_by(table.c.id)
        .limit(_BATCH)
    ).all():
        yield list(found)
        after = found[-1].id


def _end_deliveries(connection: Connection, why: dict[str, str], now: datetime) -> dict[str, int]:
    """How many by subscription. Those that were unknown before wait for a person too: nobody is asked by a machine."""
    awaits = sa.and_(_DELIVERY.c.state == S.ACCEPTED.value, _DELIVERY.c.next_at.is_not(None))
    is_open = sa.or_(_DELIVERY.c.state.in_([state.value for state in _OPEN]), awaits)
    counted: dict[str, int] = {}
    for rows in _batches(connection, _DELIVERY, is_open, "subscription_id", "document_id", "run_id", "state"):
        connection.execute(
            sa.update(_DELIVERY)
            .where(_DELIVERY.c.id.in_([row.id for row in rows]))
            .values(
                state=S.OUTCOME_UNKNOWN.value, next_at=None, error={"class": "Unknown", **why}, lease_owner=None,
                fence=_DELIVERY.c.fence + 1, finished_at=None, updated_at=now,
            )
        )  # fmt: skip
        _tell(
            connection,
            [{**_line(row, now, why), "delivery_id": row.id, "document_id": row.document_id} for row in rows],
        )
        for row in rows:
            counted[row.subscription_id] = counted.get(row.subscription_id, 0) + 1
    return counted


def _keep_numbers(connection: Connection, now: datetime) -> None:
    """What may have left since the backup keeps its number; of two with the same one, the older sending does.

    A backup of before there were such numbers gets all of them from the migration.
    """
    if not sa.inspect(connection).has_table(_NUMBER_TAKEN.name):
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(_NUMBER_TAKEN).on_conflict_do_nothing()
    noted = sa.update(_DOCUMENT_NUMBER).where(_DOCUMENT_NUMBER.c.id == sa.bindparam("document"))
    noted = noted.values(sent_as=sa.bindparam("noted"))
    adaptors = {row.id: row for row in connection.execute(sa.select(_ADAPTOR_BOOKS)).all()}
    is_unknown = _DELIVERY.c.state == S.OUTCOME_UNKNOWN.value
    for rows in _batches(connection, _DELIVERY, is_unknown, "document_id", "environment"):
        found = sa.select(_DOCUMENT_NUMBER).where(_DOCUMENT_NUMBER.c.id.in_([row.document_id for row in rows]))
        documents = {row.id: row for row in connection.execute(found).all()}
        taken = [
            {
                "subscription_id": one.subscription_id, "environment": row.environment, "type": one.type,
                "seller": seller_in(one.sent_as) or seller_of(books.source_kind, books.organization, books.id),
                "number": normal_number(one.number), "document_id": one.id, "taken_at": now,
            }
            for row in rows
            for one in (documents[row.document_id],)
            for books in (adaptors[one.adaptor_id],)
        ]  # fmt: skip
        connection.execute(insert, taken)
        # Of two with the same one, both may have left.
        connection.execute(
            noted,
            [{"document": one["document_id"], "noted": sent_as(one["seller"], one["number"])} for one in taken],
        )


def _unqueue(connection: Connection, why: dict[str, str], now: datetime) -> dict[str, int]:
    """What waited for its conversion is only listed; what has a delivery tells of that. How many by subscription."""
    counted: dict[str, int] = {}
    is_queued = _DOCUMENT.c.stage == Stage.QUEUED.value
    has_delivery = sa.exists().where(_DELIVERY.c.document_id == _DOCUMENT.c.id)
    stage = sa.case((has_delivery, Stage.CONVERTED.value), else_=Stage.LISTED.value)
    for rows in _batches(connection, _DOCUMENT, is_queued, "subscription_id", "run_id"):
        connection.execute(
            sa.update(_DOCUMENT)
            .where(_DOCUMENT.c.id.in_([row.id for row in rows]))
            .values(stage=stage, lease_until=None, lease_token=None, error=None)
        )
        _tell(connection, [{**_line(row, now, why), "delivery_id": None, "document_id": row.id} for row in rows])
        for row in rows:
            counted[row.subscription_id] = counted.get(row.subscription_id, 0) + 1
    return counted


def _line(row: Any, now: datetime, why: dict[str, str]) -> dict[str, Any]:
    state = {"state": row.state} if hasattr(row, "state") else {}
    return {
        "id": new_id(), "created_at": now, "subscription_id": row.subscription_id, "run_id": row.run_id, "actor": "system",
        "kind": "restored", "data": {**why, **state},
    }  # fmt: skip


def _tell(connection: Connection, lines: list[dict[str, Any]]) -> None:
    connection.execute(sa.insert(_EVENT), lines)


def _end_work(connection: Connection, why: dict[str, str], now: datetime) -> int:
    ended = 0
    for table, active in ((_RUN, ACTIVE_RUNS), (_JOB, ACTIVE_JOBS)):
        more = {"again_by": None} if table is _RUN else {}
        ended += connection.execute(
            sa.update(table)
            .where(table.c.state.in_([state.value for state in active]))
            .values(state="failed", error=why, finished_at=now, lease_until=None, lease_token=None, **more)
        ).rowcount
    # What was chosen for a manual export and had no outcome: a person finds and chooses it again.
    connection.execute(
        sa.update(_FOUND)
        .where(_FOUND.c.chosen_at.is_not(None), _FOUND.c.outcome.is_(None))
        .values(outcome="left_out", text=why)
    )
    connection.execute(sa.update(_CLAIM).where(_CLAIM.c.outcome.is_(None)).values(outcome="missed"))
    return ended


def _send_nothing(connection: Connection, why: dict[str, str], now: datetime) -> int:
    """Mails and calls that had not left; notices that waited for a mail stand in the inbox."""
    mails = connection.execute(
        sa.update(_MAIL)
        .where(_MAIL.c.state.in_(("pending", "leased", "sending")))
        .values(state="failed", error={"class": "Unknown", **why}, finished_at=now, next_at=None)
    ).rowcount
    # Links of mails that are never sent.
    connection.execute(sa.update(_MAIL).where(_MAIL.c.kind == "confirm").values(text="", html=""))
    connection.execute(sa.update(_NOTICE).where(_NOTICE.c.mail_id.is_(None)).values(mail_at=None))
    calls = connection.execute(
        sa.update(_CALL)
        .where(_CALL.c.state.in_(("pending", "leased")))
        .values(state="failed", error=why, finished_at=now, next_at=None)
    ).rowcount
    return mails + calls


def _pause(connection: Connection) -> dict[str, list[str]]:
    """Ids of the schedules that were active, by subscription."""
    found: dict[str, list[str]] = {}
    active = sa.select(_SCHEDULE.c.id, _SCHEDULE.c.subscription_id).where(_SCHEDULE.c.active).order_by(_SCHEDULE.c.id)
    for schedule_id, subscription_id in connection.execute(active).all():
        found.setdefault(subscription_id, []).append(schedule_id)
    connection.execute(sa.update(_SCHEDULE).where(_SCHEDULE.c.active).values(active=False, next_at=None))
    return found


def _sign_everybody_out(connection: Connection, now: datetime) -> None:
    """What sessions, API tokens and links of mails are bound to is new, so that none of before opens anything.

    Nor does an invitation, which may have been withdrawn or accepted meanwhile.
    """
    is_open = sa.and_(_INVITATION.c.accepted_at.is_(None), _INVITATION.c.withdrawn_at.is_(None))
    connection.execute(sa.update(_INVITATION).where(is_open).values(withdrawn_at=now))
    for (user_id,) in connection.execute(sa.select(_USER.c.id)).all():
        connection.execute(sa.update(_USER).where(_USER.c.id == user_id).values(fs_uniquifier=secrets.token_hex(32)))
