"""OpenPEPPOL's own unit suites: each test names a rule that must, or must not, speak about a fragment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import etree

from invoiceapp.domain.findings import Severity
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation.validator import Validator

RULES = ("en16931-ubl", "peppol-ubl")
#: How many tests each suite has; fewer would mean that we do not read it whole.
SUITES = {"unit-DK": 126, "unit-PEPPOL": 221}


@dataclass(frozen=True)
class Expectation:
    kind: str
    """``success``, ``warning`` or ``error``"""
    rule: str


@dataclass(frozen=True)
class Case:
    name: str
    document: etree._Element
    expected: tuple[Expectation, ...]


def cases(folder: Path) -> list[Case]:
    found = []
    for path in sorted(folder.glob("*.xml")):
        for number, test in enumerate(etree.parse(str(path)).getroot().iter("{*}test"), start=1):
            parts = {etree.QName(part).localname: part for part in test.iterchildren(etree.Element)}
            expected = tuple(
                Expectation(etree.QName(item).localname, (item.text or "").strip())
                for item in parts.pop("assert").iterchildren(etree.Element)
                if etree.QName(item).localname != "description"
            )
            (document,) = parts.values()
            # On its own, so that the rules see a document and not a part of the suite.
            found.append(Case(f"{path.stem}#{number}", etree.fromstring(etree.tostring(document)), expected))
    return found


def holds(expectation: Expectation, spoken: dict[str, Severity]) -> bool:
    if expectation.kind == "warning":
        # The suites are older than the sheets, which have made DK-R-003 fatal meanwhile.
        return expectation.rule in spoken
    wanted = {"success": None, "error": Severity.FATAL}[expectation.kind]
    return spoken.get(expectation.rule) is wanted


@pytest.mark.parametrize("suite", SUITES)
def test_every_test_of_the_official_suite_comes_out_as_expected(official: Validator, fixtures: Path, suite: str):
    wrong, count = [], 0
    for case in cases(fixtures / "peppol-bis-3" / suite):
        report = official.judge(case.document, RULES)
        assert report.is_complete
        spoken = {finding.rule: finding.severity for finding in report.findings}
        wrong += [f"{case.name}: {e.kind} {e.rule}" for e in case.expected if not holds(e, spoken)]
        count += 1
    assert wrong == []
    assert count == SUITES[suite]


@pytest.mark.parametrize(
    ("format_id", "folder", "names"),
    [("peppol-bis-3", "peppol-bis-3/examples", "*.xml"), ("oioubl-2.1", "oioubl-2.1", "OIOUBL_[IC][nr]*.xml")],
)
def test_every_official_example_is_valid(official: Validator, fixtures: Path, format_id: str, folder: str, names: str):
    fmt = formats()[format_id]
    paths = sorted((fixtures / folder).glob(names))
    assert len(paths) >= 5
    for path in paths:
        content = path.read_bytes()
        kind = next(kind for kind in fmt.schemas if (b"<CreditNote" in content) == (kind == "creditNote"))
        report = official.validate(content, fmt, kind)
        assert [(path.name, finding.rule) for finding in report.findings if finding.is_fatal] == []
