from __future__ import annotations

import pytest

from invoiceapp.domain.findings import Severity
from invoiceapp.formats.validation.reports import read_report

SVRL = '<svrl:schematron-output xmlns:svrl="http://purl.oclc.org/dsdl/svrl">{}</svrl:schematron-output>'


def failed(text: str, attributes: str = "", kind: str = "failed-assert") -> str:
    return f"<svrl:{kind} location='/Invoice' {attributes}><svrl:text>{text}</svrl:text></svrl:{kind}>"


def oioubl(*errors: tuple[str, str]) -> str:
    return "<Schematron>" + "".join(
        f"<Error context='x'><Pattern>p</Pattern><Description>{text}</Description><Xpath>{path}</Xpath></Error>"
        for text, path in errors
    ) + "</Schematron>"  # fmt: skip


def test_a_failed_assertion_is_a_finding_by_its_id():
    (finding,) = read_report(SVRL.format(failed("[BR-16]-An Invoice\n  shall have a line.", 'id="BR-16" flag="fatal"')))
    assert (finding.rule, finding.severity, finding.location) == ("BR-16", Severity.FATAL, "/Invoice")
    assert finding.text.en == "The document breaks rule BR-16: An Invoice shall have a line."
    assert finding.text.da.startswith("Dokumentet overtræder reglen BR-16")


def test_warnings_are_warnings():
    (finding,) = read_report(SVRL.format(failed("Soft.", 'id="PEPPOL-X" flag="warning"')))
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("text", "rule", "severity"),
    [
        ("[F-LIB187] Invalid CompanyID.", "F-LIB187", Severity.FATAL),
        ("[W-LIB011] Only one Note.", "W-LIB011", Severity.WARNING),
        ("Something without a name", "OIOUBL", Severity.FATAL),
    ],
)
@pytest.mark.parametrize("kind", ["failed-assert", "successful-report"])
def test_rules_that_are_named_in_the_text_are_found_there(text, rule, severity, kind):
    (finding,) = read_report(SVRL.format(failed(text, kind=kind)))
    assert (finding.rule, finding.severity) == (rule, severity)
    assert f"[{rule}]" not in finding.text.en


def test_the_older_danish_dialect_is_read_too():
    report = oioubl(("[F-INV051] Invalid ID.", "/Invoice/A"), ("[W-LIB011] One note.", "/Invoice/B"))
    assert [(f.rule, f.severity, f.location) for f in read_report(report)] == [
        ("F-INV051", Severity.FATAL, "/Invoice/A"), ("W-LIB011", Severity.WARNING, "/Invoice/B"),
    ]  # fmt: skip


def test_each_rule_is_told_once():
    many = SVRL.format(failed("[F-LIB1] a") * 300 + failed("[F-LIB2] b") + failed("x", 'id="BR-1"') * 2)
    assert [finding.rule for finding in read_report(many)] == ["F-LIB1", "F-LIB2", "BR-1"]
    assert len(read_report(oioubl(*[("[F-LIB1] a", "/x")] * 300))) == 1


@pytest.mark.parametrize("report", [SVRL.format(""), "<Schematron/>"])
def test_a_report_without_complaints_is_empty(report):
    assert read_report(report) == []


@pytest.mark.parametrize("answer", ["", "<html/>", "out of memory"])
def test_an_answer_that_is_no_report_never_counts_as_valid(answer):
    with pytest.raises(ValueError):
        read_report(answer)
