from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from lxml import etree
from support.rulepacks import OIOUBL, PEPPOL, folder, sheet

from invoiceapp.formats.validation import catalogue, packs
from invoiceapp.formats.validation.catalogue import RuleSet, Slot, slots

TODAY = date(2026, 11, 22)


def rule_set(name: str, rules_dir: Path | None) -> RuleSet | None:
    (slot,) = slots((name,))
    return catalogue.resolve(slot, packs.installed(rules_dir, slot.pack), TODAY)


def test_the_newest_edition_of_a_pack_is_used(tmp_path: Path):
    for version in ("2026.5", "2026.11", "2025.12"):
        folder(tmp_path / "peppol" / version, PEPPOL)
    (tmp_path / "peppol" / "2027.1").mkdir()
    folder(tmp_path / "peppol" / ".adding-2028.1", PEPPOL)
    found = rule_set("peppol-ubl", tmp_path)
    assert found is not None
    assert found.version == "2026.11"


@pytest.mark.parametrize("name", ["peppol-ubl", "oioubl-invoice", "oioubl-credit-note"])
def test_packs_that_are_not_there_are_none(tmp_path: Path, name: str):
    assert rule_set(name, tmp_path) is None
    assert rule_set(name, None) is None


@pytest.mark.parametrize("name", ["en16931-ubl", "facturx-en16931"])
def test_every_installation_has_the_rules_of_en_16931_and_knows_their_edition(name: str):
    found = rule_set(name, None)
    assert found is not None
    assert found.version.startswith("1.")
    assert len(found.sha256) == 64


@pytest.mark.parametrize("name", ["ubl-invoice", "ubl-credit-note", "cii"])
def test_the_schemas_of_the_package_can_be_loaded(name: str):
    assert etree.XMLSchema(etree.parse(str(catalogue.xsd_path(name))))


def test_only_peppol_documents_ask_for_peppols_own_sheet_of_en_16931():
    assert slots(("en16931-ubl", "peppol-ubl")) == [Slot("en16931-ubl", "peppol"), Slot("peppol-ubl", "peppol")]
    assert slots(("en16931-ubl",)) == [Slot("en16931-ubl")]
    assert slots(("oioubl-invoice",)) == [Slot("oioubl-invoice", "oioubl")]
    assert slots(("facturx-en16931",)) == [Slot("facturx-en16931")]


def test_peppols_own_sheet_of_en_16931_goes_before_the_bundled_one(tmp_path: Path):
    folder(tmp_path / "peppol" / "2026.5", PEPPOL, content=sheet("OWN"))
    for_peppol = catalogue.resolve(Slot("en16931-ubl", "peppol"), packs.installed(tmp_path), TODAY)
    for_others = catalogue.resolve(Slot("en16931-ubl"), packs.installed(tmp_path), TODAY)
    assert for_peppol is not None
    assert for_others is not None
    assert (for_peppol.name, for_peppol.version) == ("en16931-ubl", "Peppol 2026.5")
    assert for_peppol.path.parent == tmp_path / "peppol" / "2026.5"
    assert "facturx" in str(for_others.path)


def test_a_pack_without_its_own_sheet_of_en_16931_takes_the_bundled_one(tmp_path: Path):
    folder(tmp_path / "peppol" / "2026.5", PEPPOL[1:])
    found = catalogue.resolve(Slot("en16931-ubl", "peppol"), packs.installed(tmp_path), TODAY)
    assert found is not None
    assert "facturx" in str(found.path)


def test_rule_sets_know_their_pack():
    assert [catalogue.pack_of(name) for name in ("peppol-ubl", "oioubl-credit-note", "en16931-ubl")] == [
        "peppol", "oioubl", None,
    ]  # fmt: skip


def test_an_edition_with_half_of_its_sheets_is_not_used(tmp_path: Path):
    folder(tmp_path / "oioubl" / "1.17.2", OIOUBL[:1])
    assert rule_set("oioubl-invoice", tmp_path) is None
