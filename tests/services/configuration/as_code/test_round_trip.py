"""Export, apply to an empty database, export: the same bytes; and a second time nothing happens."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import func, select

from invoiceapp.models import Adaptor, Base, Customer, Gateway, Job, SettingsChange, db
from invoiceapp.services import secrets
from invoiceapp.services.configuration.as_code import Options, apply, export
from invoiceapp.services.configuration.as_code.exporting import references_of
from invoiceapp.services.configuration.as_code.references import Owner

NAME = "Æ & Ø: »Revision« 🧾"
CREATE = Options(create_subscription=True)


def snapshot() -> dict[str, list[Any]]:
    """Every row of every table."""
    db.session.rollback()
    tables = (table for table in Base.metadata.sorted_tables if table.name != "job")
    return {table.name: sorted(map(repr, db.session.execute(select(table)))) for table in tables}


def given(monkeypatch: pytest.MonkeyPatch, clear: dict[str, str]) -> None:
    """The secrets in the environment, under the names that the export writes."""
    gateways, adaptors = db.session.scalars(select(Gateway)), db.session.scalars(select(Adaptor))
    owners = [
        *(Owner("gateway", row.name, row.secrets, {}) for row in gateways if row.name != "Fremmed"),
        *(Owner("adaptor", row.name, row.source_secrets, {}) for row in adaptors if row.deleted_at is None),
    ]
    for (kind, name), fields in references_of(owners).items():
        for field, reference in fields.items():
            monkeypatch.setenv(reference["env"], clear[f"{kind}/{name}/{field}"])


@pytest.mark.parametrize(("seed", "share"), [(1, 1.0), (2, 0.5), (3, 0.1), (4, 0.0)])
def test_an_export_makes_an_empty_database_give_the_same_export(build, emptied, monkeypatch, seed, share):
    builder = build(seed, share)
    builder.everything()
    given(monkeypatch, builder.clear)
    text = export(NAME)
    assert apply(text.encode(), Options(dry_run=True)).changes == []

    emptied()
    dry = apply(text.encode(), Options(create_subscription=True, dry_run=True))
    assert dry.changes
    assert all(not rows for rows in snapshot().values())

    done = apply(text.encode(), CREATE)
    assert [str(change) for change in done.changes] == [str(change) for change in dry.changes]
    assert export(NAME) == text
    assert export(NAME).encode() == text.encode()

    before = snapshot()
    for options in (Options(), Options(dry_run=True), Options(prune=True)):
        again = apply(text.encode(), options)
        assert (again.changes, again.notes) == ([], [])
        assert {state for _, _, state in again.secrets} == {"same"}
        assert snapshot() == before


def test_secrets_arrive_and_the_file_holds_none(build, emptied, monkeypatch):
    builder = build(1)
    builder.everything()
    given(monkeypatch, builder.clear)
    ciphertexts = [text for row in db.session.scalars(select(Gateway)) for text in row.secrets.values()]
    text = export(NAME)
    assert ciphertexts
    assert not any(part in text for part in (*ciphertexts, "hemmelig: æ", "token Billy", "v1.k1", "PRIVATE KEY"))

    emptied()
    apply(text.encode(), CREATE)
    for row in db.session.scalars(select(Gateway)):
        opened = secrets.unseal({}, row.secrets, f"gateway/{row.id}")
        assert opened == {name: builder.clear[f"gateway/{row.name}/{name}"] for name in row.secrets}
    billy = db.session.scalar(select(Adaptor).where(Adaptor.name == "Billy"))
    assert secrets.unseal({}, billy.source_secrets, f"adaptor/{billy.id}") == {"token": "token Billy"}
    assert billy.organization["id"] == "0rg"


def test_the_file_has_no_ids_of_this_database(build):
    build(1).everything()
    text = export(NAME)
    ids = [row.id for model in (Gateway, Adaptor, Customer) for row in db.session.scalars(select(model))]
    assert not any(one in text for one in ids)
    assert not re.search(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", text)


def test_only_what_was_decided_and_still_is_there_is_exported(build):
    build(1).everything()
    text = export(NAME)
    assert not any(word in text for word in ("Uden regel", "Slettet", "Fremmed"))


def test_applying_is_remembered_in_the_history_and_sets_off_a_check(build, emptied, monkeypatch):
    builder = build(1)
    builder.everything()
    given(monkeypatch, builder.clear)
    text = export(NAME)
    emptied()
    apply(text.encode(), CREATE)
    rows = db.session.scalars(select(SettingsChange)).all()
    assert {row.actor for row in rows} == {"config"}
    assert {row.kind for row in rows} == {"common", "vat", "customer"}
    assert db.session.scalar(select(func.count()).select_from(Job).where(Job.kind == "preflight")) == 2


def test_two_things_of_one_name_are_not_exported(build):
    builder = build(1)
    mine = builder.subscription("A")
    builder.gateway(mine, "sftp", "x")
    builder.gateway(mine, "sftp", "x ")
    with pytest.raises(Exception, match="Two gateways are called"):
        export("A")
