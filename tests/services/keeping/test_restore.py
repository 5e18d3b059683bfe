from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask_migrate import upgrade
from sqlalchemy import select
from support.moving import bring

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    Environment,
    Event,
    FoundDocument,
    FoundGroup,
    FoundOutcome,
    InterchangeSequence,
    Invitation,
    Job,
    JobState,
    Mail,
    MailState,
    Notice,
    NoticeKind,
    Outcome,
    Recipient,
    Rendition,
    Restoration,
    Role,
    Run,
    RunState,
    Schedule,
    ScheduleRun,
    SentNumber,
    Stage,
    Tally,
    User,
    Webhook,
    WebhookCall,
    db,
    new_id,
    utcnow,
)  # fmt: skip
from invoiceapp.services import secrets
from invoiceapp.services.daily import schedules
from invoiceapp.services.delivery import numbers
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import actions, archive
from invoiceapp.services.keeping import aftermath, backup, dump, restore, resuming
from invoiceapp.services.keeping.sealing import BackupUnreadable

S = DeliveryState
CANARY = "kanariefugl7391"


def everything() -> dict[str, list[dict[str, object]]]:
    """Rows by table; the order of columns is that of their birth."""
    db.session.commit()
    with backup.snapshot() as connection:
        return {
            table.name: [dict(zip(table.columns, row, strict=True)) for row in dump.rows(connection, table)]
            for table in dump.tables(connection)
        }


def reloaded(row):
    return db.session.get(type(row), row.id, populate_existing=True)


@pytest.fixture
def in_every_state(ready, make_customer, make_document, adaptor):
    """One delivery in each state, and a document of each stage that has none; by number."""
    for state in S:
        ready(state.value, state, next_at=None)
    ready("awaits a receipt", S.ACCEPTED, next_at=utcnow() + timedelta(days=1))
    customer = make_customer("Uden levering")
    for stage in (Stage.LISTED, Stage.QUEUED, Stage.UNUSABLE):
        make_document(customer, f"only {stage.value}", stage=stage)


def statuses() -> dict[str, str]:
    return dict(db.session.execute(select(Document.number, Document.status)).all())


def tallied() -> Counter[str]:
    rows = db.session.execute(select(Tally.status, sa.func.sum(Tally.documents)).group_by(Tally.status)).all()
    return Counter({status: int(count) for status, count in rows if count})


def test_a_backup_comes_back_row_for_row_with_its_files(stamped, in_every_state, elsewhere, tmp_path, user):
    before, path = everything(), tmp_path / "full.backup"
    written = backup.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert written.files == len({row.sha256 for row in db.session.scalars(select(Rendition))}) and not written.missing
    with elsewhere():
        done = restore.restore(path)
        after = everything()
        assert done.contents.rows == sum(len(rows) for rows in before.values())
        # What the aftermath adds or changes, and nothing else.
        changed = {
            "delivery",
            "document",
            "event",
            "adaptor",
            "user_account",
            "tally",
            "restoration",
            "sent_number",
            "status_change",
            "audit_entry",
            "audit_chain",
        }
        assert {name for name in before if after[name] != before[name]} <= changed
        for row in db.session.scalars(select(Rendition)):
            assert len(archive.load(row.sha256)) == row.size


def test_what_had_not_ended_is_unknown_with_words_and_what_had_ended_is_as_it_was(
    stamped, in_every_state, elsewhere, tmp_path
):
    backup.write(tmp_path / "b")
    before = statuses()
    with elsewhere():
        done = restore.restore(tmp_path / "b")
        ended = {"accepted", "delivered", "acknowledged", "rejected", "cancelled", "superseded"}
        expected = {number: status if number in ended else "outcome_unknown" for number, status in before.items()}
        expected |= {"superseded": before["superseded"], "awaits a receipt": "outcome_unknown"}
        expected |= {"only listed": "listed", "only queued": "listed", "only unusable": "unusable"}
        assert statuses() == expected
        assert tallied() == Counter(expected.values())
        assert (done.aftermath.unknown, done.aftermath.listed) == (7, 1)
        lines = db.session.scalars(select(Event).where(Event.kind == "restored")).all()
        assert len(lines) == 8 and all("Gendannet fra en sikkerhedskopi taget" in line.data["da"] for line in lines)
        unknown = db.session.scalars(select(Delivery).where(Delivery.state == S.OUTCOME_UNKNOWN)).all()
        assert len(unknown) == 7
        assert all(one.next_at is None and one.error["da"] and one.lease_owner is None for one in unknown)


def test_what_may_have_left_since_the_backup_keeps_its_number(stamped, ready, elsewhere, tmp_path):
    ids = {number: ready(number, state).document_id for number, state in (("1", S.BLOCKED), ("2", S.REJECTED))}
    backup.write(tmp_path / "b")
    with elsewhere():
        restore.restore(tmp_path / "b")
        rows = {row.number: row for row in db.session.scalars(select(SentNumber))}
        assert {number: row.document_id for number, row in rows.items()} == {"1": ids["1"]}
        books = db.session.scalars(select(Adaptor)).one()
        again = Document(
            subscription_id=books.subscription_id, type=rows["1"].type, number="1", source_id="made anew", id=new_id()
        )  # fmt: skip
        assert numbers.look(again, books, Environment.LIVE).document_id == ids["1"]


@pytest.mark.parametrize("state", [S.REJECTED, S.CANCELLED])
def test_what_had_ended_badly_is_sent_again_only_with_a_reason_after_a_restore(
    stamped, ready, elsewhere, tmp_path, state
):
    delivery_id = ready("1001", state, next_at=None).id
    backup.write(tmp_path / "b")
    with elsewhere():
        restore.restore(tmp_path / "b")
        row = db.session.get_one(Delivery, delivery_id)
        with pytest.raises(ServiceError):
            actions.send_again(row, "anna@example.com", " ")
        db.session.rollback()
        assert statuses() == {"1001": state.value}
        actions.send_again(db.session.get_one(Delivery, delivery_id), "anna@example.com", "Modtageren har den ikke")
        assert statuses() == {"1001": "pending"}


def test_lists_go_on_counting_after_a_restore(stamped, ready, elsewhere, tmp_path):
    delivery_id = ready().id
    backup.write(tmp_path / "b")
    with elsewhere():
        restore.restore(tmp_path / "b")
        bring(delivery_id, S.DELIVERED)
        db.session.commit()
        assert statuses() == {"1001": "delivered"} and tallied() == Counter({"delivered": 1})


@pytest.fixture
def under_way(adaptor, subscription, user, make_document, make_customer, make_schedule, gateway):
    """Work of every kind in the middle of it."""
    run = Run(
        subscription_id=subscription.id, adaptor_id=adaptor.id, trigger="schedule", state=RunState.RUNNING, again_by="x",
        lease_token="t", lease_until=utcnow(),
    )  # fmt: skip
    found_by = Run(subscription_id=subscription.id, adaptor_id=adaptor.id, trigger="manual", state=RunState.FINISHED)
    job = Job(
        subscription_id=subscription.id,
        adaptor_id=adaptor.id,
        kind="export",
        state=JobState.RUNNING,
        parameters={"run": "x"},
    )
    recipient = Recipient(subscription_id=subscription.id, user_id=user.id, daily_at=time(7, 30))
    hook = Webhook(subscription_id=subscription.id, adaptor_id=adaptor.id, url="https://example.com/", secrets={})
    db.session.add_all([run, found_by, job, recipient, hook])
    db.session.flush()
    document = make_document(make_customer(), stage=Stage.LISTED)
    db.session.add(
        FoundDocument(run_id=found_by.id, document_id=document.id, group=FoundGroup.NOT_EXPORTED, chosen_at=utcnow())
    )
    mails = [
        Mail(
            id=new_id(), subscription_id=subscription.id, recipient_id=recipient.id, to="a@example.com", language="da", subject="s",
            text=CANARY, html="", message_id="m", state=state, ends_at=utcnow(), kind=kind, next_at=utcnow(),
        )
        for state, kind in ((MailState.PENDING, "confirm"), (MailState.SENDING, "notices"), (MailState.SENT, "notices"))
    ]  # fmt: skip
    notice = Notice(
        subscription_id=subscription.id, recipient_id=recipient.id, event="e", kind=NoticeKind.OPENED, title={"da": "", "en": ""},
        mail_at=utcnow(),
    )  # fmt: skip
    calls = [
        WebhookCall(webhook_id=hook.id, event=state, payload={}, state=state) for state in ("pending", "leased", "done")
    ]
    schedule, paused = make_schedule(), make_schedule(active=False, next_at=None)
    claim = ScheduleRun(schedule_id=schedule.id, adaptor_id=adaptor.id, due_at=utcnow())
    numbers = InterchangeSequence(subscription_id=subscription.id, sender="a", receiver="b", last=7)
    db.session.add_all([*mails, notice, *calls, claim, numbers])
    db.session.commit()
    return schedule.id, paused.id


def test_nothing_goes_on_by_itself(stamped, under_way, elsewhere, tmp_path):
    backup.write(tmp_path / "b")
    with elsewhere():
        restore.restore(tmp_path / "b")
        run = db.session.scalars(select(Run).where(Run.trigger == "schedule")).one()
        assert (run.state, run.again_by, run.lease_token) == (RunState.FAILED, None, None) and "Gendannet" in run.error[
            "da"
        ]
        assert db.session.scalars(select(Job.state)).all() == [JobState.FAILED]
        assert db.session.scalars(select(FoundDocument.outcome)).all() == [FoundOutcome.LEFT_OUT]
        assert Counter(db.session.scalars(select(Mail.state))) == {MailState.FAILED: 2, MailState.SENT: 1}
        assert CANARY not in str(db.session.scalars(select(Mail.text).where(Mail.kind == "confirm")).all())
        assert db.session.scalars(select(Notice.mail_at)).all() == [None]
        assert Counter(db.session.scalars(select(WebhookCall.state))) == {"failed": 2, "done": 1}
        assert db.session.scalars(select(ScheduleRun.outcome)).all() == [Outcome.MISSED]
        assert db.session.scalars(select(InterchangeSequence.last)).all() == [7 + aftermath.SKIPPED_NUMBERS]


def test_schedules_wait_until_a_person_says_go(stamped, under_way, elsewhere, tmp_path, subscription):
    subscription_id, (active, paused) = subscription.id, under_way
    backup.write(tmp_path / "b")
    with elsewhere():
        restore.restore(tmp_path / "b")
        assert [db.session.get_one(Schedule, one).active for one in under_way] == [False, False]
        assert resuming.waiting(subscription_id).schedules == [active]
        assert resuming.resume(subscription_id, "ejer@example.com") == 1
        rows = {row.id: row for row in db.session.scalars(select(Schedule).execution_options(populate_existing=True))}
        assert rows[active].active and rows[active].next_at > utcnow() and not rows[paused].active
        assert resuming.waiting(subscription_id) is None
        assert resuming.resume(subscription_id, "ejer@example.com") == 0
        assert db.session.scalars(select(Restoration.resumed_by)).all() == ["ejer@example.com"]


def test_everybody_signs_in_anew(stamped, user, subscription, elsewhere, tmp_path):
    before = user.fs_uniquifier
    invitation = Invitation(
        subscription_id=subscription.id, email="ny@example.com", role=Role.MEMBER, token_hash="h", invited_by_id=user.id,
        expires_at=utcnow() + timedelta(hours=1),
    )  # fmt: skip
    db.session.add(invitation)
    db.session.commit()
    backup.write(tmp_path / "b")
    with elsewhere():
        restore.restore(tmp_path / "b")
        assert db.session.scalars(select(User.fs_uniquifier)).one() != before
        assert db.session.scalars(select(Invitation.withdrawn_at)).one() is not None
        kept = {table.name for table in dump.tables(db.session.connection())}
    names = set(db.metadata.tables)
    assert names - kept == dump.EPHEMERAL & names
    assert names >= dump.EPHEMERAL


def test_secrets_open_again_with_the_key_and_nobody_reads_them_without(
    stamped, gateway, elsewhere, tmp_path, second_key
):
    gateway.secrets = {"password": secrets.encrypt(CANARY, f"gateway/{gateway.id}/password")}
    gateway.config = {"host": CANARY}
    db.session.commit()
    backup.write(tmp_path / "b")
    content = (tmp_path / "b").read_bytes()
    assert CANARY.encode() not in content and gateway.name.encode() not in content and b"subscription" not in content
    gateway_id = gateway.id
    with elsewhere():
        restore.restore(tmp_path / "b")
        stored = db.session.scalar(sa.text("SELECT secrets FROM gateway"))
        assert secrets.decrypt(json.loads(stored)["password"], f"gateway/{gateway_id}/password") == CANARY
    with elsewhere(bare=True, encryption_keys=(second_key,)):
        with pytest.raises(BackupUnreadable):
            restore.restore(tmp_path / "b")
        assert sa.inspect(db.engine).get_table_names() == []


def test_it_is_restored_into_an_empty_database_only(stamped, subscription, tmp_path):
    backup.write(tmp_path / "b")
    before = everything()
    with pytest.raises(Conflict):
        restore.restore(tmp_path / "b")
    assert everything() == before


def test_a_database_without_tables_is_set_up(stamped, subscription, elsewhere, tmp_path):
    backup.write(tmp_path / "b")
    with elsewhere(bare=True):
        restore.restore(tmp_path / "b")
        assert everything()["subscription"]


def test_a_damaged_backup_leaves_the_database_empty(stamped, ready, elsewhere, tmp_path):
    ready()
    path = tmp_path / "b"
    backup.write(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BackupUnreadable):
        backup.verify(path)
    with elsewhere():
        with pytest.raises(BackupUnreadable):
            restore.restore(path)
        assert not any(everything().values())


def test_a_backup_of_a_newer_edition_is_refused(stamped, subscription, elsewhere, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "_revision", lambda _connection: "9999")
    backup.write(tmp_path / "b")
    with elsewhere(), pytest.raises(ServiceError) as refused:
        restore.restore(tmp_path / "b")
    assert "nyere udgave" in refused.value.text.da


def test_an_older_backup_is_migrated_after_it_was_loaded(elsewhere, tmp_path):
    with elsewhere(bare=True):
        upgrade(revision="0014")
        now = utcnow()
        with db.engine.begin() as connection:
            values = {"id": new_id(), "created_at": now, "name": "Gammel ApS", "is_demo": False}
            table = next(one for one in dump.tables(connection) if one.name == "subscription")
            more = {name: 0 if isinstance(kind, sa.Boolean) else None for name, kind in table.columns.items()}
            connection.execute(sa.insert(table.clause), more | values)
        backup.write(tmp_path / "b")
    with elsewhere(bare=True):
        restore.restore(tmp_path / "b")
        with db.engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT name FROM subscription")) == "Gammel ApS"
            newest = restore.ScriptDirectory(str(restore.MIGRATIONS)).get_current_head()
            assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == newest


def test_values_are_the_same_on_both_databases(stamped, make_customer, make_document, elsewhere, tmp_path, postgres):
    """From this database to SQLite and back to where it came from."""
    document = make_document(
        make_customer("Æble & Co ‮\u2028"), net=Decimal("1234567890.1234"), issue_date=date(1999, 12, 31),
        bundle={"amount": Decimal("0.1000000000000000055"), "text": "\ud800 NULL"},
    )  # fmt: skip
    document.created_at = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)
    db.session.commit()
    kept, home = (document.id, document.bundle, document.net, document.created_at), db.engine.dialect.name
    backup.write(tmp_path / "first")
    with elsewhere("sqlite", bare=home != "sqlite"):
        restore.restore(tmp_path / "first")
        backup.write(tmp_path / "second")
        between = everything()
    with elsewhere(home):
        restore.restore(tmp_path / "second")
        row = db.session.get_one(Document, kept[0])
        assert (row.id, row.bundle, row.net, row.created_at) == kept
        after = everything()
    assert after["customer"] == between["customer"]


def test_verify_says_what_was_checked(stamped, in_every_state, tmp_path):
    written = backup.write(tmp_path / "b")
    checked = backup.verify(tmp_path / "b")
    assert checked.manifest() == written.manifest() and checked.rows == written.rows > 30
    assert checked.key_id == "k1" and checked.tables["delivery"]["rows"] == 13


def test_damaged_and_missing_files_are_told(stamped, ready, config, tmp_path):
    broken, gone = (ready(number).rendition_id for number in ("1", "2"))
    names = [db.session.get_one(Rendition, one).sha256 for one in (broken, gone)]
    paths = [config.archive_dir / name[:2] / name[2:4] / name for name in names]
    paths[0].write_bytes(b"something else")
    paths[1].unlink()
    written = backup.write(tmp_path / "b")
    assert (written.damaged, written.missing, written.files) == ([names[0]], 1, 0)
    assert backup.verify(tmp_path / "b").damaged == [names[0]]


def test_without_the_archive_only_rows_are_written(stamped, ready, tmp_path):
    ready()
    written = backup.write(tmp_path / "b", with_archive=False)
    assert (written.files, written.missing, written.has_archive) == (0, 0, False)


def test_a_backup_that_fails_leaves_the_older_one(stamped, subscription, tmp_path, monkeypatch):
    path = tmp_path / "b"
    backup.write(path)
    before = path.read_bytes()
    monkeypatch.setattr(backup, "_write_archive", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backup.write(path)
    assert path.read_bytes() == before and [one.name for one in tmp_path.iterdir() if one.name.startswith(".b")] == []


def test_a_backup_sees_one_moment(stamped, make_customer, tmp_path, monkeypatch):
    """Somebody writes between two tables."""
    make_customer("Før")
    write_table, count = backup._write_table, []

    def and_write(out, connection, table):
        if table.name == "customer":
            with db.engine.begin() as other:
                other.execute(sa.text("UPDATE customer SET name = 'Efter'"))
                other.execute(sa.text("UPDATE subscription SET name = 'Efter'"))
            count.append(1)
        return write_table(out, connection, table)

    monkeypatch.setattr(backup, "_write_table", and_write)
    backup.write(tmp_path / "b")
    assert count and db.session.scalar(sa.text("SELECT name FROM customer")) == "Efter"
    with (tmp_path / "b").open("rb") as file:
        found = {
            name: [dict(zip(columns, row, strict=True)) for row in rows]
            for name, columns, rows in backup.Reader(file).tables()
        }
    assert found["customer"][0]["name"] == "Før" and found["subscription"][0]["name"] == "Eksempel ApS"


def test_the_next_occurrence_is_that_of_the_schedule(stamped, make_schedule, elsewhere, tmp_path, subscription):
    schedule_id, subscription_id = make_schedule().id, subscription.id
    backup.write(tmp_path / "b")
    with elsewhere():
        restore.restore(tmp_path / "b")
        assert schedules.next_due(db.session.scalar(select(Adaptor.id))) is None
        resuming.resume(subscription_id, "x")
        assert db.session.get_one(Schedule, schedule_id).next_at > utcnow()
