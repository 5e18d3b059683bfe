"""Entries, chains and rows of the audit log, on both databases."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.models import (
    Adaptor,
    AuditChain,
    AuditEntry,
    Customer,
    ExportRule,
    Gateway,
    Match,
    SettingsChange,
    Webhook,
    db,
    new_id,
    utcnow,
)
from invoiceapp.models.audit import INSTALLATION, NO_HASH
from invoiceapp.services import audit
from invoiceapp.services.audit import release as audit_release
from invoiceapp.services.audit import rows
from invoiceapp.services.audit import verify as audit_verify
from invoiceapp.services.audit.values import HIDDEN, clean, shown
from invoiceapp.services.audit.words import KINDS
from invoiceapp.services.configuration import rules
from invoiceapp.services.database import transaction

PERSON = "anna@example.com"


def entries(chain: str | None = None) -> list[AuditEntry]:
    query = select(AuditEntry).order_by(AuditEntry.chain, AuditEntry.seq)
    return list(db.session.scalars(query.where(AuditEntry.chain == chain) if chain else query))


@pytest.fixture
def anna(user) -> Iterator[None]:
    with audit.acting(PERSON, user_id=user.id, ip="192.0.2.7", request_id="R"):
        yield


def note(count: int = 1, **values: object) -> None:
    for number in range(count):
        with transaction():
            audit.note("test.act", name=f"no. {number}", **values)


def test_an_entry_says_who_when_from_where_and_what(app, subscription, user, anna):
    with transaction():
        audit.note(
            "test.act", subscription_id=subscription.id, of="gateway/G", name="SFTP", before={"a": 1}, after={"a": 2}
        )
    [entry] = entries(subscription.id)
    assert (entry.seq, entry.actor_kind, entry.actor, entry.user_id) == (1, "person", PERSON, user.id)
    assert (entry.ip, entry.request_id, entry.object_kind, entry.object_id) == ("192.0.2.7", "R", "gateway", "G")
    assert (entry.before, entry.after, entry.previous) == ({"a": 1}, {"a": 2}, NO_HASH)
    assert utcnow() - entry.at < timedelta(minutes=1)


def test_entries_leave_with_their_transaction_or_not_at_all(app, gateway, anna):
    with pytest.raises(RuntimeError), transaction():
        gateway.name = "Anden"
        audit.note("test.act")
        raise RuntimeError
    assert entries() == []
    note()
    assert [entry.act for entry in entries()] == ["test.act"]


def test_what_a_savepoint_took_back_is_not_told(app, gateway, anna):
    with transaction() as session:
        with pytest.raises(RuntimeError), session.begin_nested():
            gateway.name = "Fortrudt"
            session.flush()
            raise RuntimeError
        with session.begin_nested():
            gateway.name = "Gjort"
    assert [entry.after for entry in entries()] == [{"name": "Gjort"}]


def test_a_change_of_a_row_is_old_and_new_of_what_changed(app, gateway, anna):
    with transaction():
        gateway.config = {**gateway.config, "host": "sftp.example.com"}
        gateway.failures = 3
    [entry] = entries(gateway.subscription_id)
    assert (entry.act, entry.object_kind, entry.object_id, entry.object_name) == (
        "changed", "gateway", gateway.id, "SFTP",
    )  # fmt: skip
    assert entry.before == {"config": {"host": "partner.example"}}
    assert entry.after == {"config": {"host": "sftp.example.com"}}


def test_what_workers_move_and_nobody_changed_leaves_nothing(app, gateway, make_customer, anna):
    customer = make_customer(active=None)
    before = len(entries())
    with transaction():
        gateway.failures, gateway.retry_at, gateway.name = 5, utcnow(), gateway.name
        customer.name, customer.seen_at = "Nyt navn fra kilden", utcnow()
    assert len(entries()) == before


def test_routine_work_leaves_no_entries(app, gateway):
    with transaction():
        gateway.name = "Anden"
    assert entries() == []


def test_secrets_are_never_written(app, gateway, subscription, adaptor, user, anna):
    with transaction() as session:
        gateway.secrets = {"password": "v1.k1.S3CR3T-cipher-of-a-password", "private_key": "S3CR3T-2"}
        gateway.config = {"host": "h", "api_token": "S3CR3T-3", "note": "v1.k1.S3CR3T+cipher/text=="}
        user.password = "S3CR3T-4"
        session.add(
            Webhook(
                subscription_id=subscription.id, adaptor_id=adaptor.id, url="https://u:S3CR3T-5@hooks.example/S3CR3T-6?S3CR3T-7",
                secrets={"key": "S3CR3T-8"},
            )
        )  # fmt: skip
        audit.note("test.act", after={"password": "S3CR3T-9", "recovery_codes": ["S3CR3T-10"]})
    written = json.dumps([[entry.before, entry.after] for entry in entries()])
    assert "S3CR3T" not in written
    found = next(entry for entry in entries() if entry.object_kind == "gateway").after
    assert found["secrets"] == {"password": HIDDEN, "private_key": HIDDEN}
    assert next(entry for entry in entries() if entry.object_kind == "user").after == {"password": HIDDEN}
    assert next(entry for entry in entries() if entry.object_kind == "webhook").after["url"] == "https://hooks.example"


@pytest.mark.parametrize("name", ["secret", "passwords", "token_hash", "mf_recovery_codes", "api_key", "totp"])
def test_a_name_that_looks_like_a_secret_is_one(name):
    assert shown(name, "S3CR3T") == HIDDEN
    assert shown(name, "") is None


def test_many_rows_of_a_kind_are_one_entry(app, adaptor, gateway, make_customer, anna):
    customers = [make_customer(f"Kunde {number}", active=None).id for number in range(30)]
    before = len(entries())
    with transaction():
        rules.activate_chunk(rules.held(adaptor.id), customers, "peppol-bis-3", gateway.id)
    [made] = entries()[before:]
    assert (made.act, made.object_kind, made.after["rows"], made.chain) == (
        "created", "export_rule", 30, adaptor.subscription_id,
    )  # fmt: skip
    assert made.after["format"] == "peppol-bis-3"
    assert set(made.after["ids"]) == set(customers)
    with audit.acting(PERSON, subscription_id=adaptor.subscription_id), transaction():
        rules.deactivate_chunk(rules.held(adaptor.id), customers)
    stopped = entries()[-1]
    assert (stopped.act, stopped.after["rows"], stopped.after["active"]) == ("changed", 30, False)
    with transaction() as session:
        session.execute(update(ExportRule).where(ExportRule.id == "nobody").values(active=True))
        session.add_all(
            Customer(
                subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, source_id=new_id(), name="K", is_new=True
            )
            for _ in range(25)
        )  # fmt: skip
    assert [entry.after["rows"] for entry in entries()[before + 2 :]] == [25]


def test_settings_are_told_once_by_their_history(app, adaptor, anna):
    with transaction() as session:
        adaptor.settings = {"general": {"currency": "DKK"}}
        session.add(
            SettingsChange(
                subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, kind="common", actor=PERSON,
                before={"general": {}}, after={"general": {"currency": "DKK"}},
            )
        )  # fmt: skip
    [entry] = entries()
    assert (entry.object_kind, entry.object_id, entry.after) == (
        "settings",
        adaptor.id,
        {"general": {"currency": "DKK"}},
    )
    with transaction():
        adaptor.settings = {}
    assert entries()[-1].object_kind == "adaptor"


def test_rows_that_are_made_and_deleted_are_told_whole(app, subscription, anna):
    with transaction() as session:
        row = Gateway(subscription_id=subscription.id, name="Ny", kind="sftp", config={"host": "h"}, secrets={})
        session.add(row)
    with transaction() as session:
        session.delete(row)
    made, gone = entries(subscription.id)
    assert made.before is None
    assert made.after["config"] == {"host": "h"}
    assert gone.before["name"] == "Ny"
    assert gone.after is None


def test_a_transaction_costs_two_statements_beside_the_rows(app, gateway, anna):
    note()
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *found: statements.append(found[2]))
    with transaction():
        for number in range(3):
            audit.note("test.act", name=str(number))
    assert [statement.split()[0] for statement in statements if "audit" in statement] == ["UPDATE", "INSERT", "UPDATE"]


def test_a_log_line_cannot_be_forged_or_flooded(app, anna):
    name = "evil\r\n2026-11-23 admin signed in\u202e\u2028\x00\x85" + "x" * 1_000_000
    with transaction():
        audit.note("test.act", name=name, after={"agent": name}, actor=audit.Actor("visitor", name))
    [entry] = entries()
    for value in (entry.actor, entry.object_name, entry.after["agent"]):
        assert value.startswith("evil\\u000d\\u000a2026")
        assert len(value) <= 1000
        assert not {"\r", "\n", "\u202e", "\u2028", "\x00", "\x85"} & set(value)
    assert clean("æøå €", 10) == "æøå €"
    assert clean("\ud800", 10) == "\\ud800"


# Chains


def verdict(chain: str = INSTALLATION, **wanted: str) -> audit_verify.Verdict:
    return audit_verify.verify(chain, **wanted)


def test_a_chain_that_nobody_touched_fits(app, subscription):
    note(3)
    note(2, subscription_id=subscription.id)
    found = audit_verify.verify_all()
    assert [(one.chain, one.count, one.is_whole) for one in found] == sorted(
        [(INSTALLATION, 3, True), (subscription.id, 2, True)]
    )
    assert [entry.seq for entry in entries(INSTALLATION)] == [1, 2, 3]
    assert verdict(newest=2).first == 2
    assert verdict(newest=2).is_whole


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET actor = 'x'",
        "DELETE FROM audit_entry WHERE seq = 3",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_chain",
        "UPDATE audit_chain SET seq = 1",
        "UPDATE audit_chain SET kept_from = 9",
    ],
)
def test_the_database_refuses_changes(app, statement):
    note(3)
    with pytest.raises(IntegrityError, match="append-only"), transaction() as session:
        session.execute(text(statement))
    assert verdict().count == 3


def test_an_entry_cannot_be_replaced_by_another(app):
    note(2)
    table = AuditEntry.__table__
    row = dict(db.session.execute(select(table).where(table.c.seq == 2)).mappings().one())
    db.session.rollback()
    replacing = "OR REPLACE" if db.engine.dialect.name == "sqlite" else ""
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(insert(table).prefix_with(replacing).values({**row, "actor": "x"}))
    assert verdict().is_whole


@pytest.fixture
def unguarded(app) -> None:
    """What somebody can do who may change the schema."""
    note(5)
    with transaction() as session:
        for name, table in (
            ("audit_entry_unchanged", "audit_entry"), ("audit_entry_kept", "audit_entry"), ("audit_chain_forward", "audit_chain"),
        ):  # fmt: skip
            on = f" ON {table}" if db.engine.dialect.name == "postgresql" else ""
            session.execute(text(f"DROP TRIGGER {name}{on}"))


@pytest.mark.parametrize(
    ("statement", "at"),
    [
        ("UPDATE audit_entry SET actor = 'x' WHERE seq = 3", 3),
        ("UPDATE audit_entry SET ip = '10.0.0.1' WHERE seq = 5", 5),
        ("UPDATE audit_entry SET hash = previous WHERE seq = 2", 2),
        ("DELETE FROM audit_entry WHERE seq = 3", 4),
        ("DELETE FROM audit_entry WHERE seq <= 2", 3),
        ("DELETE FROM audit_entry WHERE seq = 5", 0),
        ("UPDATE audit_chain SET seq = 4", 0),
        ("DELETE FROM audit_entry", 0),
    ],
)
def test_tampering_shows(app, unguarded, statement, at):
    with transaction() as session:
        session.execute(text(statement))
    found = verdict()
    assert found.problem is not None
    assert not found.is_whole
    assert found.at == at


def test_a_whole_new_chain_shows_only_by_a_head_that_was_noted(app, unguarded):
    noted = entries()[2].hash
    assert verdict(head=noted).is_known is True
    rows = [dict(row) for row in db.session.execute(select(AuditEntry.__table__).order_by("seq")).mappings()]
    db.session.rollback()
    from invoiceapp.services.audit.writing import digest

    previous = NO_HASH
    with transaction() as session:
        session.execute(delete(AuditEntry.__table__))
        for row in rows:
            row |= {"actor": "somebody else", "previous": previous}
            previous = row["hash"] = digest(row)
            session.execute(insert(AuditEntry.__table__).values(row))
        session.execute(update(AuditChain.__table__).values(hash=previous))
    assert verdict().is_whole
    assert not verdict(head=noted).is_whole


def test_old_entries_go_only_with_an_entry_that_says_so(app):
    note(4)
    future = utcnow() + timedelta(days=1)
    with audit.acting("ejer@example.com"):
        assert audit_release.release(INSTALLATION, utcnow() - timedelta(days=1)) == 0
        assert audit_release.release(INSTALLATION, future, "bogføringsloven") == 4
    found = verdict()
    assert (found.is_whole, found.first, found.released) == (True, 5, 4)
    [anchor] = entries()
    assert (anchor.act, anchor.actor, anchor.after["up_to"]) == ("audit.released", "ejer@example.com", 4)
    assert anchor.after["head"] == anchor.previous
    note(2)
    assert verdict().is_whole
    assert audit_release.release(INSTALLATION, future) == 3
    assert verdict().is_whole
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(text("DELETE FROM audit_entry"))


def test_an_export_verifies_without_the_database(app, subscription, tmp_path):
    note(3)
    note(2, subscription_id=subscription.id, after={"navn": "Ærø & Søn", "antal": 3, "tom": None})
    path = tmp_path / "export.jsonl"
    path.write_text("".join(audit_verify.export()), encoding="utf-8")
    with path.open(encoding="utf-8") as file:
        assert [(one.count, one.is_whole) for one in audit_verify.verify_file(file)] in (
            [(3, True), (2, True)],
            [(2, True), (3, True)],
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    for number in range(len(lines)):
        for changed in (
            lines[:number] + lines[number + 1 :],
            [*lines[:number], lines[number].replace("test.act", "x"), *lines[number + 1 :]],
        ):
            if changed == lines:
                continue
            try:
                found = audit_verify.verify_file(_file(changed))
            except audit_verify.NotAnExport:
                continue
            assert not all(one.is_whole for one in found), number


def _file(lines: list[str]):
    import io

    return io.StringIO("\n".join(lines))


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"format": "other"}', "[]", '{"format": "audit-1"}'])
def test_what_is_no_export_is_refused_in_words(content):
    with pytest.raises(audit_verify.NotAnExport):
        audit_verify.verify_file(_file([content]))


def test_the_hash_is_sha256_of_plain_canonical_json(app):
    """As docs/audit.md tells an auditor."""
    import hashlib

    with transaction():
        audit.note("test.act", name="Ærø 🎉", after={"b": 1, "a": [None, True, "æ"]})
    entry = json.loads("".join(audit_verify.export()).splitlines()[1])
    noted = entry.pop("hash")
    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert hashlib.sha256(canonical.encode()).hexdigest() == noted


def test_writers_at_the_same_moment_make_one_chain_without_gaps(app):
    """Threads with connections of their own, as in production."""
    failures: list[BaseException] = []

    def write() -> None:
        try:
            with app.app_context():
                note(10)
                db.session.remove()
        except BaseException as error:
            failures.append(error)

    db.session.rollback()
    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [entry.seq for entry in entries()] == list(range(1, 41))
    assert verdict().is_whole


def test_heads_are_in_the_log_once_a_day(app, caplog, monkeypatch):
    monkeypatch.setattr(audit_verify, "_logged", [])
    note(2)
    with caplog.at_level("INFO"):
        audit_verify.log_heads()
        audit_verify.log_heads()
    [line] = [record.getMessage() for record in caplog.records if "audit head" in record.getMessage()]
    assert entries()[-1].hash in line


def test_columns_that_start_a_job_are_its_persons(app, adaptor, make_customer):
    """A worker acts for the person who started the job."""
    from invoiceapp.services import background

    job_id = background.start(adaptor.id, "test", actor=PERSON)

    def handler(progress: background.Progress) -> bool:
        with transaction() as session:
            session.get_one(Adaptor, progress.adaptor_id).name = "Omdøbt"
        return False

    background.execute(job_id, {"test": handler})
    [entry] = entries(adaptor.subscription_id)
    assert (entry.actor, entry.before, entry.after) == (PERSON, {"name": "Billy"}, {"name": "Omdøbt"})


def test_every_audited_name_is_a_model_with_words():
    mapped = {mapper.class_.__name__ for mapper in db.Model.registry.mappers}
    assert mapped >= rows.AUDITED
    # Of settings, their history tells.
    assert {rows.kind_of(name) for name in rows.AUDITED} - {"settings_change"} <= KINDS.keys()


def test_what_a_person_chooses_of_a_match_is_told_and_what_a_look_up_finds_is_not(app, adaptor, make_customer, anna):
    customer = make_customer(active=None)
    before = len(entries(adaptor.subscription_id))
    with transaction() as session:
        row = Match(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, customer_id=customer.id, confidence=90
        )
        session.add(row)
    with transaction():
        row.pinned = {"format": "oioubl-2.1"}
    [entry] = entries(adaptor.subscription_id)[before:]
    assert (entry.act, entry.object_kind, entry.after) == ("changed", "match", {"pinned": {"format": "oioubl-2.1"}})


def test_the_script_of_the_guide_checks_an_export(app, subscription, tmp_path):
    note(2, subscription_id=subscription.id)
    note(2)
    guide = Path(__file__).parents[3] / "docs" / "audit.md"
    found = re.search(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    script, lines = found[1], "".join(audit_verify.export()).splitlines(keepends=True)

    def fits(changed: list[str]) -> bool:
        (tmp_path / "export").write_text("".join(changed), encoding="utf-8")
        command = [sys.executable, "-I", "-c", script, str(tmp_path / "export")]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert fits(lines)
    assert not any(fits(lines[:at] + lines[at + 1 :]) for at in range(len(lines)) if '"format"' not in lines[at])
    assert not fits([line.replace("no. 1", "no. 9") for line in lines])
