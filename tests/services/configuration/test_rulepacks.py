"""Rule packs as people see them, and a coming edition on documents that were already made."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from support.rulepacks import OIOUBL, PEPPOL, folder, sheet

from invoiceapp import processes
from invoiceapp.config import Config
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.ubl import FORMATS
from invoiceapp.formats.validation import trial
from invoiceapp.formats.validation.installer import Request
from invoiceapp.models import Document, Rendition, db, new_id, utcnow
from invoiceapp.services.configuration import rulepacks, shadow
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import archive, validators

Make = Callable[..., Any]

TODAY = date(2026, 11, 22)


@pytest.fixture
def rules_dir(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: Flask) -> Path:
    """Empty, whatever official packs the tests were given."""
    from dataclasses import replace

    app.extensions["invoiceapp.config"] = replace(config, rules_dir=tmp_path / "rules")
    monkeypatch.setattr(rulepacks, "today", lambda: TODAY)
    return tmp_path / "rules"


@pytest.fixture
def add(tmp_path: Path, rules_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """``add(version, start)`` of Peppol; the sheets are believed to work."""
    monkeypatch.setattr(trial, "run", lambda pack, folder: [])

    def make(version: str, start: str | None = None, end: str | None = None, content: bytes | None = None) -> None:
        days = [date.fromisoformat(text) if text else None for text in (start, end)]
        rulepacks.add(Request(folder(tmp_path / "source" / version, PEPPOL, content=content), None, None, *days))

    return make


def warnings(pack: str = "peppol") -> str:
    state = next(state for state in rulepacks.overview() if state.pack.id == pack)
    return " ".join(warning.en for warning in state.warnings)


def test_the_day_is_the_day_in_denmark(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(validators, "utcnow", lambda: datetime(2026, 8, 16, 22, 30, tzinfo=UTC))
    assert validators.today() == date(2026, 8, 17)


@pytest.mark.usefixtures("rules_dir")
def test_without_packs_nothing_is_in_use_and_formats_say_what_is_missing():
    assert [state.current for state in rulepacks.overview()] == [None, None]
    by_id = {state.format.id: state for state in rulepacks.formats()}
    peppol = {judge.label.en: judge for judge in by_id["peppol-bis-3"].judges}
    assert peppol["EN 16931 (UBL)"].version
    assert peppol["EN 16931 (UBL)"].pack is None
    assert (peppol["Peppol BIS Billing 3"].version, peppol["Peppol BIS Billing 3"].pack) == (None, "peppol")
    assert not by_id["peppol-bis-3"].is_complete
    assert "pdf" not in by_id


def test_the_edition_of_today_judges_both_layers_of_peppol(add: Make):
    add("2026.5")
    add("2027.1", "2027-02-15")
    (peppol, *_) = [state for state in rulepacks.formats() if state.format.id == "peppol-bis-3"]
    assert [(judge.version, judge.since, judge.age) for judge in peppol.judges] == [
        ("Peppol 2026.5", date(2026, 8, 17), 3), ("2026.5", date(2026, 8, 17), 3),
    ]  # fmt: skip
    assert peppol.is_complete
    states = {state.edition.version: state for state in rulepacks.editions()}
    assert (states["2026.5"].is_in_use, states["2026.5"].is_coming) == (True, False)
    assert (states["2027.1"].is_in_use, states["2027.1"].is_coming) == (False, True)
    assert states["2027.1"].age is None
    assert states["2026.5"].to_dict()["validFrom"] == "2026-08-17"


@pytest.mark.parametrize(
    ("editions", "warning"),
    [
        ([("2026.5", "2026-02-23")], ""),
        ([("2026.5", "2026-02-22")], "The rules are 9 months old"),
        ([("2026.5", None), ("2026.11", "2026-12-23")], ""),
        ([("2026.5", None), ("2026.11", "2026-12-22")], "Version 2026.11 takes over on 2026-12-22."),
        ([("2026.5", None, "2026-12-01")], "The rules end on 2026-12-01"),
        ([("2026.5", None, "2027-12-01")], ""),
    ],
)
def test_what_somebody_should_know_is_told_in_time(add: Make, editions: list[Any], warning: str):
    for edition in editions:
        add(*edition)
    # The edition of February is 9 months old on 23 November.
    assert warnings() == warning if not warning else warning in warnings()


@pytest.mark.parametrize(
    ("start", "on", "months"),
    [("2026-02-23", "2026-11-22", 8), ("2026-02-22", "2026-11-22", 9), ("2025-12-31", "2026-01-30", 0),
     ("2026-12-01", "2026-11-22", None)],
)  # fmt: skip
def test_age_is_counted_in_whole_months(start: str, on: str, months: int | None):
    assert rulepacks.months(date.fromisoformat(start), date.fromisoformat(on)) == months
    assert rulepacks.months(None, date.fromisoformat(on)) is None


def test_a_damaged_edition_is_told(add: Make, rules_dir: Path):
    add("2026.5")
    (rules_dir / "peppol" / "2026.5" / "PEPPOL-EN16931-UBL.xslt").unlink()
    assert "Cannot be used" in warnings()
    assert rulepacks.verify() == {
        ("peppol", "2026.5"): ["PEPPOL-EN16931-UBL.xslt cannot be read: No such file or directory"]
    }


def test_what_is_in_use_is_removed_only_on_purpose(add: Make):
    add("2026.5")
    with pytest.raises(Conflict, match="in use today"):
        rulepacks.remove("peppol", "2026.5")
    rulepacks.remove("peppol", "2026.5", even_in_use=True)
    assert rulepacks.editions() == []
    for pack, version in (("peppol", "2026.5"), ("peppol", "../.."), ("other", "1")):
        with pytest.raises(ServiceError, match="not installed"):
            rulepacks.remove(pack, version)


@pytest.mark.usefixtures("rules_dir")
def test_a_refusal_is_in_two_languages(tmp_path: Path):
    with pytest.raises(ServiceError) as caught:
        rulepacks.add(Request(tmp_path / "none.zip"))
    assert "findes ikke" in caught.value.text.da


def test_a_pack_knows_whose_documents_it_judges():
    assert "peppol-bis-3" in rulepacks.formats_of("peppol")
    assert rulepacks.formats_of("oioubl") == ["oioubl-2.1"]


# Trying an edition on documents that were already made


@pytest.fixture
def rendered(make_customer: Make, make_document: Make) -> Make:
    """``rendered(customer, number, **columns)``: our sample document, kept as that customer's."""
    fmt = next(item for item in FORMATS if item.id == "peppol-bis-3")
    content = fmt.write(trial.sample())

    def make(customer: Any, number: str, document: Document | None = None, **columns: Any) -> Rendition:
        document = document or make_document(customer, number, type=DocumentType.INVOICE)
        own = content.replace(b">1</cbc:ID>", f">{number}</cbc:ID>".encode(), 1)
        values = {"format": "peppol-bis-3", "sha256": archive.store(own), "findings": [], **columns}
        row = Rendition(
            id=new_id(), subscription_id=document.subscription_id, document_id=document.id, size=len(own),
            media_type="application/xml", filename="x.xml", **values,
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row

    return make


@pytest.fixture
def strict(add: Make) -> None:
    """A coming edition that stops numbers which begin with 9."""
    add("2026.5")
    add("2027.1", "2027-02-15", content=sheet("NEW-9", "starts-with(/*/*[local-name()='ID'][1], '9')"))


FATAL = {"rule": "BR-1", "severity": "fatal", "text": {"da": "x", "en": "x"}, "turn": "here"}


@pytest.mark.usefixtures("strict")
def test_a_coming_edition_names_whom_it_would_stop_and_who_passes(make_customer: Make, rendered: Make):
    school, library, museum = (make_customer(name) for name in ("Skolen", "Biblioteket", "Museet"))
    for number in ("9001", "9002", "1003"):
        rendered(school, number)
    rendered(library, "1004")
    rendered(museum, "9005", findings=[FATAL])
    rendered(museum, "9006", created_at=utcnow() - timedelta(days=91))
    lost = rendered(library, "9007")
    archive.remove(lost.sha256)

    found = shadow.run("peppol", "2027.1")
    assert (found.documents, found.stopped, found.stopped_already, found.unreadable) == (4, 2, 1, 1)
    (rule,) = found.broken
    assert (rule.rule, rule.documents) == ("NEW-9", 2)
    assert "Broken on purpose" in rule.text.en
    (affected,) = rule.customers.values()
    assert (affected.customer, affected.documents, sorted(affected.numbers)) == ("Skolen", 2, ["9001", "9002"])
    assert (found.failing, found.passing) == (["Skolen"], ["Biblioteket"])
    assert found.to_dict()["rules"][0]["customers"] == [
        {"customer": "Skolen", "documents": 2, "numbers": affected.numbers}
    ]


@pytest.mark.usefixtures("strict")
def test_only_the_newest_rendition_of_a_document_counts_and_other_formats_do_not(make_customer: Make, rendered: Make):
    customer = make_customer()
    first = rendered(customer, "9001")
    document = db.session.get(Document, first.document_id)
    rendered(customer, "1001", document)
    rendered(customer, "9002", format="pdf")
    found = shadow.run("peppol", "2027.1")
    assert (found.documents, found.stopped) == (1, 0)


@pytest.mark.usefixtures("strict")
def test_rules_that_were_missing_are_no_reason_to_leave_a_document_out(make_customer: Make, rendered: Make):
    rendered(make_customer(), "9001", findings=[{**FATAL, "rule": "IA-RULES-MISSING"}])
    assert shadow.run("peppol", "2027.1").stopped == 1


@pytest.mark.usefixtures("strict")
def test_a_limit_keeps_to_the_newest_in_several_batches(
    make_customer: Make, rendered: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shadow, "_BATCH", 2)
    customer = make_customer()
    for number in ("9001", "1002", "1003", "1004", "1005"):
        rendered(customer, number)
    found = shadow.run("peppol", "2027.1", limit=4)
    assert (found.documents, found.stopped, found.is_cut) == (4, 0, True)
    whole = shadow.run("peppol", "2027.1", limit=5)
    assert (whole.documents, whole.stopped, whole.is_cut) == (5, 1, False)


@pytest.mark.usefixtures("strict")
def test_documents_of_others_are_not_looked_at(make_customer: Make, rendered: Make):
    rendered(make_customer(), "9001")
    assert shadow.run("peppol", "2027.1", subscription_id=new_id()).documents == 0


@pytest.mark.usefixtures("strict")
def test_two_trials_are_not_made_at_once():
    with shadow._one_at_a_time, pytest.raises(Conflict, match="Another trial is running on this server"):
        shadow.run("peppol", "2027.1")


def test_an_edition_that_fails_on_documents_is_told_in_words(add: Make, make_customer: Make, rendered: Make):
    add("2027.1", content=sheet(test="error()"))
    rendered(make_customer(), "1001")
    with pytest.raises(ServiceError, match="could not be used on the documents"):
        shadow.run("peppol", "2027.1")


def test_an_edition_that_is_not_there_or_damaged_cannot_be_tried(rules_dir: Path):
    with pytest.raises(ServiceError, match="not installed"):
        shadow.run("peppol", "2027.1")
    folder(rules_dir / "oioubl" / "1.17.2", OIOUBL[:1])
    with pytest.raises(ServiceError, match="damaged"):
        shadow.run("oioubl", "1.17.2")


def test_a_rule_that_hangs_is_ended_with_its_process(
    add: Make, make_customer: Make, rendered: Make, monkeypatch: pytest.MonkeyPatch
):
    hang = "<xsl:template name='again'><xsl:call-template name='again'/></xsl:template>"
    start = b'<xsl:template match="/"><xsl:call-template name="again"/>'
    add("2027.1", content=sheet(head=hang).replace(b'<xsl:template match="/">', start))
    rendered(make_customer(), "1001")
    monkeypatch.setattr(shadow, "_DEADLINE", 6)
    started: list[BaseProcess] = []

    def end_pool(pool: ProcessPoolExecutor) -> None:
        started.extend((pool._processes or {}).values())
        processes.end_pool(pool)

    monkeypatch.setattr(shadow, "end_pool", end_pool)
    with pytest.raises(ServiceError, match="not done with the documents in time"):
        shadow.run("peppol", "2027.1")
    assert len(started) == 1
    # Not is_alive(): the pool's own thread may be just between reaping the process and noting that it did.
    assert connection.wait([started[0].sentinel], 5)


def test_days_are_danish_in_danish_and_a_damaged_manifest_is_named(add: Make, rules_dir: Path):
    add("2026.5", None, "2026-12-01")
    state = next(state for state in rulepacks.overview() if state.pack.id == "peppol")
    assert "kun til 01.12.2026" in state.warnings[0].da
    (rules_dir / "peppol" / "2026.5" / "manifest.json").write_text("[" * 200_000)
    assert warnings() == "Cannot be used: manifest.json is damaged."
