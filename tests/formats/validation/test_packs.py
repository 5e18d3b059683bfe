"""Editions on disk, and adding them out of releases as publishers make them."""

from __future__ import annotations

import json
import lzma
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from support.rulepacks import OIOUBL, PEPPOL, archive, folder, jar, sheet

from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.ubl import FORMATS
from invoiceapp.formats.validation import installer, packs, trial, unpack
from invoiceapp.formats.validation.installer import Added, Outcome, Request
from invoiceapp.formats.validation.packs import Edition
from invoiceapp.formats.validation.trial import Tried
from invoiceapp.formats.validation.unpack import PackRefused
from invoiceapp.formats.validation.validator import Validator

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)

Add = Callable[..., Added]
Refused = Callable[..., str]


@pytest.fixture
def rules_dir(tmp_path: Path) -> Path:
    return tmp_path / "rules"


@pytest.fixture
def add(rules_dir: Path) -> Add:
    """``add(path, **options)``"""
    return lambda path, **options: installer.add(Request(path, **options), rules_dir, NOW, TODAY)


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sheets are believed to work, which saves a process."""
    monkeypatch.setattr(trial, "run", lambda pack, folder: [])


@pytest.fixture
def refused(add: Add, rules_dir: Path) -> Refused:
    """``refused(path, **options)``: the reason in English; nothing was installed or left lying about."""

    def check(path: Path, **options: Any) -> str:
        def there() -> list[Path]:
            return sorted(item for item in rules_dir.rglob("*") if item.name != installer.LOCK)

        before = there()
        with pytest.raises(PackRefused) as caught:
            add(path, **options)
        assert there() == before
        assert caught.value.text.da
        return caught.value.text.en

    return check


# What is recognised


def test_an_official_oioubl_zip_is_installed_with_its_version_and_manifest(add: Add, tmp_path: Path, rules_dir: Path):
    path = archive(
        tmp_path / "OIOUBL_Schematron_2026-05-01_v1.17.2.50919c6.zip",
        {f"Stylesheets/{name}.xsl": sheet(name) for name in (*OIOUBL, "OIOUBL_Order_Schematron")}
        | {"Dokumentation/LÆSMIG.txt": b"x", "Stylesheets/SCH/OIOUBL_Invoice_Schematron.xml": b"<x/>"},
    )
    added = add(path, note="fra nemhandel.dk")
    assert (added.outcome, added.edition.pack, added.edition.version) == (Outcome.ADDED, "oioubl", "1.17.2")
    installed = rules_dir / "oioubl" / "1.17.2"
    assert sorted(p.name for p in installed.iterdir()) == sorted(
        [*(f"{name}.xslt" for name in OIOUBL), "manifest.json"]
    )
    manifest = json.loads((installed / "manifest.json").read_bytes())
    assert manifest["source"]["name"] == path.name
    assert manifest["source"]["note"] == "fra nemhandel.dk"
    assert len(manifest["source"]["sha256"]) == 64
    assert manifest["files"] == {f"{name}.xslt": packs.sha256_of(sheet(name)) for name in OIOUBL}
    assert (manifest["validFrom"], manifest["validTo"]) == ("2026-05-18", None)
    assert manifest["addedAt"] == "2026-11-22T10:30:00+00:00"
    assert [path.name for path in rules_dir.glob(".*")] == [installer.LOCK]


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(
    ("publisher", "names", "versions", "newest"),
    [
        ("openpeppol", PEPPOL, ["2025.11", "2026.5", "2025.5"], "2026.5"),
        ("oioubl", OIOUBL, ["1.9.0", "1.17.1", "1.17.2-rc", "2.0.2"], "1.17.1"),
    ],
)
def test_the_newest_edition_of_a_jar_is_taken_but_no_draft_and_no_old_numbering(
    add: Add, tmp_path: Path, publisher: str, names: tuple[str, ...], versions: list[str], newest: str
):
    path = jar(tmp_path / "phive-rules-4.3.7.jar", publisher, dict.fromkeys(versions, sheet()), names)
    assert add(path).edition.version == newest
    assert add(path, version=versions[0]).edition.version == versions[0]


@pytest.mark.usefixtures("untried")
def test_sheets_of_the_same_name_for_other_countries_are_not_taken(add: Add, tmp_path: Path, rules_dir: Path):
    files = {f"external/schematron/openpeppol/2026.5/xslt/{name}.xslt": sheet("RIGHT") for name in PEPPOL}
    files |= {f"external/schematron/tdd/sk/9.0.0/{name}.xslt": sheet("WRONG") for name in PEPPOL}
    # A release of self-billing rules only is no edition.
    files["external/schematron/openpeppol/2026.9/xslt/CEN-EN16931-UBL.xslt"] = sheet("WRONG")
    assert add(archive(tmp_path / "x.jar", files)).edition.version == "2026.5"
    assert b"RIGHT" in (rules_dir / "peppol" / "2026.5" / "PEPPOL-EN16931-UBL.xslt").read_bytes()


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(
    ("inside", "options", "version"),
    [("2026.5", {}, "2026.5"), ("x", {"version": "2026.5"}, "2026.5"), ("v3.0.21", {}, "2026.5")],
)
def test_an_unpacked_folder_is_installed(add: Add, tmp_path: Path, inside: str, options: dict[str, Any], version: str):
    assert add(folder(tmp_path / inside, PEPPOL), **options).edition.version == version


@pytest.mark.usefixtures("untried")
def test_of_several_packs_the_operator_chooses(add: Add, refused: Refused, tmp_path: Path):
    folder(tmp_path / "both" / "peppol" / "2026.5", PEPPOL)
    folder(tmp_path / "both" / "oioubl" / "1.17.2", OIOUBL)
    assert "--pack (oioubl, peppol)" in refused(tmp_path / "both")
    assert add(tmp_path / "both", pack="oioubl").edition.pack == "oioubl"


def test_what_is_no_rule_pack_is_told_in_words(refused: Refused, tmp_path: Path):
    assert "does not exist" in refused(tmp_path / "none.zip")
    (tmp_path / "junk.zip").write_bytes(b"PK\x03\x04junk")
    assert "cannot be read as a zip file" in refused(tmp_path / "junk.zip")
    assert "no official rules" in refused(archive(tmp_path / "other.zip", {"a.txt": b""}))
    sources = archive(tmp_path / "peppol.zip", {"rules/sch/PEPPOL-EN16931-UBL.sch": b"<x/>"})
    assert "compiled to XSLT" in refused(sources)
    assert "--version" in refused(folder(tmp_path / "nameless", PEPPOL))
    one = jar(tmp_path / "x.jar", "openpeppol", {"2026.5": sheet()}, PEPPOL)
    assert "2026.5" in refused(one, version="2027.1")
    assert "cannot be the name" in refused(folder(tmp_path / "again", PEPPOL), version="../../etc")


def test_a_zip_that_ends_in_the_middle_is_told_in_words(refused: Refused, tmp_path: Path):
    path = jar(tmp_path / "x.jar", "openpeppol", {"2026.5": os.urandom(4000)}, PEPPOL)
    content = bytearray(path.read_bytes())
    content[200:6000] = bytes(5800)
    path.write_bytes(content)
    assert "cannot be read as a zip file" in refused(path)


# Attacks


@pytest.mark.parametrize("name", ["../../x.xslt", "/etc/x.xslt", "a/../../x", "..\\x.xslt", "C:/x.xslt"])
def test_a_zip_that_points_outside_is_refused(refused: Refused, tmp_path: Path, name: str):
    files = {f"2026.5/{sheet_name}.xslt": sheet() for sheet_name in PEPPOL}
    assert "points outside" in refused(archive(tmp_path / "slip.zip", {**files, name: b"x"}))


def test_a_zip_with_a_symbolic_link_is_refused(refused: Refused, tmp_path: Path):
    path = archive(tmp_path / "link.zip", {f"2026.5/{name}.xslt": sheet() for name in PEPPOL})
    link = zipfile.ZipInfo("2026.5/link.xslt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(link, "/etc/passwd")
    assert "points outside" in refused(path)


def test_a_folder_with_a_symbolic_link_is_refused(refused: Refused, tmp_path: Path):
    folder(tmp_path / "2026.5", PEPPOL[:1])
    (tmp_path / "2026.5" / "PEPPOL-EN16931-UBL.xslt").symlink_to("/etc/passwd")
    assert "points outside" in refused(tmp_path / "2026.5")


def test_a_zip_bomb_is_refused(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bomb = archive(tmp_path / "bomb.zip", {f"2026.5/{name}.xslt": bytes(1_000_000) for name in PEPPOL})
    assert "larger than" in refused(bomb)
    monkeypatch.setattr(unpack, "LARGEST_RATIO", 10_000)
    monkeypatch.setattr(unpack, "LARGEST_FILE", 500_000)
    assert "larger than" in refused(bomb)
    monkeypatch.setattr(unpack, "LARGEST_RELEASE", 1_000_000)
    assert "bomb.zip is larger than" in refused(bomb)
    monkeypatch.setattr(unpack, "MOST_FILES", 1)
    assert "larger than" in refused(folder(tmp_path / "2026.5", PEPPOL))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>" + sheet().split(b"\n", 1)[1], "DOCTYPE"),
        (b"<xsl:stylesheet", "not valid XML"),
        (sheet(test="doc('/etc/passwd')"), "/etc/passwd"),
        (sheet(test="document('http://127.0.0.1/x.xml')"), "127.0.0.1"),
        (sheet(test="doc(concat('/etc', '/passwd'))"), "reads or writes"),
        (sheet(test="doc(: :)('/etc/passwd')"), "/etc/passwd"),
        (sheet(test="unparsed-text('a.txt')"), "reads or writes"),
        (sheet(head="<xsl:import href='../x.xsl'/>"), "“import”"),
        (sheet(head="<xsl:template name='w'><xsl:result-document href='/tmp/x'/></xsl:template>"), "result-document"),
        (sheet(head="<xsl:template name='w' expand-text='yes'>{doc('/etc/passwd')}</xsl:template>"), "expand-text"),
        (sheet(head="<xsl:template name='w' _expand-text='yes'>{doc('/etc/passwd')}</xsl:template>"), "_expand-text"),
        (sheet(head="<xsl:variable name='w' _select='doc(&quot;/x&quot;)'/>"), "_select"),
        (sheet(head="<xsl:import _href='/x.xsl'/>"), "import"),
        (sheet(head="<xsl:include href='x.xsl'/>"), "include"),
        (sheet(test="doc(: (: :) :)('/etc/passwd')"), "/etc/passwd"),
        (sheet(test="doc (: (: :) :) ('/etc/passwd')"), "reads or writes"),
        (sheet(test="'(:' = doc('/x') or ':)' = ''"), "reads or writes"),
        (sheet(test="function-lookup(xs:QName('fn:doc'), 1)"), "function-lookup"),
        (sheet(head="<xsl:variable name='w' xml:base='/etc/' select='1'/>"), "base"),
        (sheet(head="<xsl:template name='w'><xsl:merge-source for-each-source='1'/></xsl:template>"), "merge-source"),
        (sheet(head="<xsl:use-package name='x'/>"), "use-package"),
    ],
)  # fmt: skip
def test_a_sheet_that_would_read_or_write_elsewhere_is_refused(
    refused: Refused, tmp_path: Path, content: bytes, reason: str
):
    assert reason in refused(folder(tmp_path / "2026.5", PEPPOL, content=content))


# The trial run


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (sheet(test="1 +"), "PEPPOL-EN16931-UBL does not work"),
        (sheet(test="no-such-function()"), "PEPPOL-EN16931-UBL does not work"),
        (sheet().replace(b"svrl:schematron-output", b"html"), "no report"),
    ],
)
def test_a_sheet_that_does_not_compile_or_answer_is_not_installed(
    refused: Refused, tmp_path: Path, content: bytes, reason: str
):
    source = folder(tmp_path / "2026.5", PEPPOL)
    (source / "PEPPOL-EN16931-UBL.xslt").write_bytes(content)
    assert reason in refused(source)


def test_a_sheet_that_ends_the_process_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trial, "__name__", "no.such.module")
    (tried,) = trial.run("peppol", folder(tmp_path, PEPPOL))
    assert (tried.sheet, tried.stopped_by) == ("CEN-EN16931-UBL", ())
    assert "ended the rule engine" in str(tried.error)


def test_an_edition_that_stops_the_sample_document_is_installed_and_says_so(add: Add, tmp_path: Path):
    assert add(folder(tmp_path / "2026.5", PEPPOL, content=sheet("NEW-1", "true()"))).stopped_by == ("NEW-1",)


@pytest.mark.parametrize("fmt", FORMATS[:2], ids=lambda fmt: fmt.id)
@pytest.mark.parametrize("document_type", DocumentType)
def test_the_sample_document_follows_the_schema_and_en_16931(validator: Validator, fmt: Any, document_type: Any):
    content = fmt.write(replace(trial.sample(), type=document_type))
    assert validator.validate(content, fmt, document_type).findings == ()


def test_the_official_sheets_accept_the_sample_document(official: Validator):
    editions = [edition for edition in packs.installed(official.rules_dir) if edition.is_usable()]
    for edition in editions:
        results = trial.run(edition.pack, edition.folder)
        assert results
        assert results == [Tried(result.sheet) for result in results]


# Dates, again, replace, remove


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(
    ("version", "options", "start"),
    [
        ("2026.5", {}, date(2026, 8, 17)),
        ("2026.5", {"valid_from": date(2026, 7, 1)}, date(2026, 7, 1)),
        ("2031.5", {}, TODAY),
    ],
)
def test_an_edition_starts_when_its_publisher_says_else_today(
    add: Add, tmp_path: Path, version: str, options: dict[str, Any], start: date
):
    assert add(folder(tmp_path / version, PEPPOL), **options).edition.valid_from == start


def test_an_edition_cannot_end_before_it_starts(refused: Refused, tmp_path: Path):
    assert "cannot end on 2026-01-01" in refused(folder(tmp_path / "2026.5", PEPPOL), valid_to=date(2026, 1, 1))


@pytest.mark.usefixtures("untried")
def test_adding_the_same_again_changes_dates_only_where_they_are_given(add: Add, tmp_path: Path, rules_dir: Path):
    source = folder(tmp_path / "2026.5", PEPPOL)
    add(source, valid_from=date(2026, 9, 1), note="first")
    again = add(source)
    assert (again.outcome, again.edition.valid_from) == (Outcome.SAME, date(2026, 9, 1))
    assert again.edition.source["note"] == "first"
    add(source, valid_to=date(2027, 2, 1), note="second")
    (edition,) = packs.installed(rules_dir)
    assert (edition.valid_from, edition.valid_to) == (date(2026, 9, 1), date(2027, 2, 1))
    assert edition.source["note"] == "second"
    assert packs.damage(edition) == []


@pytest.mark.usefixtures("untried")
def test_a_folder_that_was_filled_by_hand_gets_its_manifest_by_adding_it(add: Add, rules_dir: Path):
    by_hand = folder(rules_dir / "peppol" / "2026.5", PEPPOL[1:])
    (edition,) = packs.installed(rules_dir)
    assert (edition.valid_from, edition.files, edition.is_usable()) == (None, None, True)
    assert add(by_hand).outcome is Outcome.SAME
    (edition,) = packs.installed(rules_dir)
    assert list(edition.files or {}) == ["PEPPOL-EN16931-UBL.xslt"]


@pytest.mark.usefixtures("untried")
def test_other_content_under_the_same_version_needs_a_word(add: Add, refused: Refused, tmp_path: Path, rules_dir: Path):
    add(folder(tmp_path / "a" / "2026.5", PEPPOL))
    other = folder(tmp_path / "b" / "2026.5", PEPPOL, content=sheet("OTHER"))
    assert "--replace" in refused(other)
    assert add(other, replace=True).outcome is Outcome.REPLACED
    assert b"OTHER" in (rules_dir / "peppol" / "2026.5" / "PEPPOL-EN16931-UBL.xslt").read_bytes()
    assert [path.name for path in (rules_dir / "peppol").iterdir()] == ["2026.5"]


@pytest.mark.usefixtures("untried")
def test_a_failed_replacement_leaves_what_was_there(add: Add, tmp_path: Path, rules_dir: Path, monkeypatch: Any):
    add(folder(tmp_path / "a" / "2026.5", PEPPOL))
    rename = Path.rename

    def fail(self: Path, target: Any) -> Path:
        if self.name.startswith(".adding-"):
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(PackRefused, match="No space left"):
        add(folder(tmp_path / "b" / "2026.5", PEPPOL, content=sheet("OTHER")), replace=True)
    (edition,) = packs.installed(rules_dir)
    assert packs.damage(edition) == []
    assert [path.name for path in (rules_dir / "peppol").iterdir()] == ["2026.5"]


def test_a_folder_that_cannot_be_written_is_told_in_words(refused: Refused, tmp_path: Path, rules_dir: Path):
    rules_dir.write_text("a file where the folder should be")
    assert "cannot be written" in refused(folder(tmp_path / "2026.5", PEPPOL))


@pytest.mark.usefixtures("untried")
def test_damage_is_found_and_a_damaged_manifest_keeps_an_edition_out_of_use(add: Add, tmp_path: Path, rules_dir: Path):
    edition = add(folder(tmp_path / "2026.5", PEPPOL)).edition
    with (edition.folder / "PEPPOL-EN16931-UBL.xslt").open("ab") as file:
        file.write(b" ")
    assert installer.verify(edition) == ["PEPPOL-EN16931-UBL.xslt was changed after it was added"]
    sound = json.loads((edition.folder / "manifest.json").read_bytes())
    wrong: list[dict[str, Any]] = [
        {"source": {"note": 5}}, {"source": {"note": "\ud800"}}, {"source": []}, {"validTo": 5}, {"validTo": ""},
        {"files": {"../x": "a"}}, {"files": {"/x": "a"}}, {"files": {"x\0": "a"}}, {"files": {"x": 1}}, {"files": {"": "a"}},
    ]  # fmt: skip
    for broken in ("{", "[]", "[" * 200_000, *(json.dumps({**sound, **part}) for part in wrong)):
        (edition.folder / "manifest.json").write_text(broken)
        (found,) = packs.installed(rules_dir)
        assert installer.verify(found) == ["manifest.json is damaged"]
        assert packs.in_use([found], "peppol", TODAY) is None


@pytest.mark.usefixtures("untried")
def test_a_removed_edition_is_gone(add: Add, tmp_path: Path, rules_dir: Path):
    installer.remove(add(folder(tmp_path / "2026.5", PEPPOL)).edition)
    assert packs.installed(rules_dir) == []
    assert list((rules_dir / "peppol").iterdir()) == []


@pytest.mark.usefixtures("untried")
def test_merged_dates_are_checked_and_an_end_can_be_taken_away(add: Add, refused: Refused, tmp_path: Path):
    source = folder(tmp_path / "2026.5", PEPPOL)
    add(source, valid_from=date(2026, 9, 1), valid_to=date(2026, 12, 1))
    assert "cannot end on 2026-12-01" in refused(source, valid_from=date(2027, 1, 1))
    assert "cannot end on 2026-08-20" in refused(source, valid_to=date(2026, 8, 20))
    assert add(source, valid_from=date(2027, 1, 1), no_end=True).edition.valid_to is None


@pytest.mark.usefixtures("untried")
def test_what_is_installed_can_be_read_by_the_web_process_whatever_the_umask(add: Add, tmp_path: Path, rules_dir: Path):
    source = folder(tmp_path / "2026.5", PEPPOL)
    before = os.umask(0o077)
    try:
        add(source)
    finally:
        os.umask(before)
    paths = [rules_dir, *(path for path in rules_dir.rglob("*") if path.name != installer.LOCK)]
    assert {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths} == {(True, 0o755), (False, 0o644)}


@pytest.mark.usefixtures("untried")
def test_files_that_went_or_came_by_hand_are_noticed(add: Add, tmp_path: Path, rules_dir: Path):
    there = add(folder(tmp_path / "2026.5", PEPPOL)).edition.folder
    (there / "CEN-EN16931-UBL.xslt").unlink()
    assert packs.in_use(packs.installed(rules_dir), "peppol", TODAY) is None
    installer.remove(packs.installed(rules_dir)[0])
    there = add(folder(tmp_path / "b" / "2026.5", PEPPOL[1:])).edition.folder
    (there / "CEN-EN16931-UBL.xslt").write_bytes(sheet())
    (found,) = packs.installed(rules_dir)
    assert (found.is_usable(), found.sheet("CEN-EN16931-UBL")) == (True, None)


def test_two_commands_do_not_change_the_rules_at_once(add: Add, tmp_path: Path, rules_dir: Path):
    with installer._locked(rules_dir), pytest.raises(PackRefused, match="Another command"):
        add(folder(tmp_path / "2026.5", PEPPOL))


@pytest.mark.usefixtures("untried")
def test_the_last_copy_is_kept_where_it_cannot_be_moved_back(
    add: Add, tmp_path: Path, rules_dir: Path, monkeypatch: Any
):
    add(folder(tmp_path / "a" / "2026.5", PEPPOL))
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if target == rules_dir / "peppol" / "2026.5":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(PackRefused, match="move it back"):
        add(folder(tmp_path / "b" / "2026.5", PEPPOL, content=sheet("OTHER")), replace=True)
    (kept,) = (rules_dir / "peppol").glob(".old-*/2026.5/PEPPOL-EN16931-UBL.xslt")
    assert kept.read_bytes() == sheet()


def test_a_full_disk_names_the_place(refused: Refused, tmp_path: Path, rules_dir: Path, monkeypatch: Any):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert f"written to {rules_dir}" in refused(folder(tmp_path / "2026.5", PEPPOL))


@pytest.mark.parametrize(
    "error", [lzma.LZMAError("x"), UnicodeDecodeError("utf-8", b"x", 0, 1, "x"), struct.error("x")]
)
def test_whatever_is_wrong_with_a_zip_is_told_in_words(
    refused: Refused, tmp_path: Path, monkeypatch: Any, error: Exception
):
    path = jar(tmp_path / "x.jar", "openpeppol", {"2026.5": sheet()}, PEPPOL)

    def corrupt(*args: Any) -> Any:
        raise error

    monkeypatch.setattr(zipfile.ZipFile, "open", corrupt)
    assert "cannot be read as a zip file" in refused(path)


def test_the_digest_of_a_folder_is_over_its_contents(tmp_path: Path):
    digests = set()
    for content in (b"a", b"b"):
        (tmp_path / "x").write_bytes(content)
        with unpack.opened(tmp_path) as release:
            digests.add(release.sha256)
    assert len(digests) == 2


# Which edition judges


def edition(version: str, start: str | None = None, end: str | None = None, folder: Path = Path()) -> Edition:
    days = [date.fromisoformat(text) if text else None for text in (start, end)]
    return Edition("peppol", version, folder, *days)


@pytest.mark.parametrize(
    ("on", "version"),
    [("2026-08-16", "2025.11"), ("2026-08-17", "2026.5"), ("2027-02-14", "2026.5"), ("2027-02-15", "2026.11"),
     ("2026-01-01", None), ("2027-12-01", "2026.5")],
)  # fmt: skip
def test_the_newest_edition_that_covers_the_day_judges(tmp_path: Path, on: str, version: str | None):
    there = folder(tmp_path, PEPPOL)
    editions = [
        edition("2026.11", "2027-02-15", "2027-11-30", there),
        edition("2025.11", "2026-02-23", None, there),
        edition("2026.5", "2026-08-17", None, there),
    ]
    found = packs.in_use(editions, "peppol", date.fromisoformat(on))
    assert (found.version if found else None) == version


def test_what_comes_is_listed_with_the_next_one_first(tmp_path: Path):
    there = folder(tmp_path, PEPPOL)
    editions = [edition("2027.5", "2027-08-16", None, there), edition("2026.11", "2027-02-15", None, there)]
    assert [item.version for item in packs.coming(editions, "peppol", TODAY)] == ["2026.11", "2027.5"]
    assert packs.coming(editions, "peppol", date(2028, 1, 1)) == []


def test_an_older_edition_that_starts_later_takes_over_only_when_the_newer_ends(tmp_path: Path):
    there = folder(tmp_path, PEPPOL)
    older = edition("2025.11", "2027-01-01", None, there)
    assert packs.coming([older, edition("2026.5", "2026-08-17", None, there)], "peppol", TODAY) == []
    editions = [older, edition("2026.5", "2026-08-17", "2027-03-31", there)]
    assert packs.coming(editions, "peppol", TODAY) == [older]
    assert packs.takes_over(older, editions) == date(2027, 4, 1)


def test_versions_are_sorted_as_people_count():
    versions = ["1.17.2", "1.17.10", "1.9", "1.17.2-rc", "1.17", "2026.11", "2026.5"]
    assert sorted(versions, key=packs.natural) == ["1.9", "1.17", "1.17.2-rc", "1.17.2", "1.17.10", "2026.5", "2026.11"]
