"""Findings out of the dialects in which official rules answer.

Peppol and EN 16931 answer with SVRL and name the rule in an attribute; OIOUBL
answers with SVRL or, in older editions, with ``<Error>`` elements and names
the rule in the text. All are deduplicated by rule, because one cause on 300
lines is one problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from invoiceapp.domain.findings import Finding, Severity, Text, Turn

_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
#: Severity is the first letter of an OIOUBL rule id.
_OIOUBL_ID = re.compile(r"\[([FW]-[A-Z]+\d+|OIOUBL-[\w-]+)\]")
_UNNAMED = "OIOUBL"


def _finding(rule: str, severity: Severity, official: str, location: str | None) -> Finding:
    text = " ".join(official.split())
    return Finding(
        rule,
        severity,
        Text(f"Dokumentet overtræder reglen {rule}: {text}", f"The document breaks rule {rule}: {text}"),
        Turn.SOURCE,
        location=location,
    )


def _oioubl_finding(message: str, location: str | None) -> Finding:
    found = _OIOUBL_ID.search(message)
    rule = found.group(1) if found else _UNNAMED
    severity = Severity.WARNING if rule.startswith("W-") else Severity.FATAL
    return _finding(rule, severity, _OIOUBL_ID.sub("", message), location)


def _svrl(root: etree._Element) -> Iterator[Finding]:
    for failed in root.iter(f"{_SVRL}failed-assert", f"{_SVRL}successful-report"):
        official = "".join(str(part) for part in failed.itertext())
        rule, location = failed.get("id"), failed.get("location")
        if rule is None:
            yield _oioubl_finding(official, location)
            continue
        severity = Severity.WARNING if failed.get("flag") == "warning" else Severity.FATAL
        yield _finding(rule, severity, official.replace(f"[{rule}]-", ""), location)


def _oioubl(root: etree._Element) -> Iterator[Finding]:
    for error in root.iter("Error"):
        yield _oioubl_finding(error.findtext("Description") or "", error.findtext("Xpath"))


def read_report(xml: str) -> list[Finding]:
    """Findings of one rule run, each rule once; raises ``ValueError`` for an answer that is neither dialect."""
    if "failed-assert" not in xml and "successful-report" not in xml and "<Error" not in xml:
        if "schematron-output" not in xml and "<Schematron" not in xml:
            raise ValueError("the rule set answered with something that is no report")
        return []
    root = etree.fromstring(xml.encode())
    found = _oioubl(root) if etree.QName(root).localname == "Schematron" else _svrl(root)
    unique: dict[str, Finding] = {}
    for finding in found:
        unique.setdefault(finding.rule, finding)
    return list(unique.values())
