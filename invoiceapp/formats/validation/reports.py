"""Findings out of the dialects in which official rules answer.

Peppol and EN 16931 answer with SVRL and name the rule in an attribute; OIOUBL
answers with SVRL or, in older editions, with ``<Error>`` elements and names
the rule in the text. All are deduplicated by rule, because one cause on 300
lines is one problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from invoiceapp.domain.findings import Finding, Severity, Text

from . import book

_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
#: Severity is the first letter of an OIOUBL rule id.
_OIOUBL_ID = re.compile(r"\[([FW]-[A-Z]+\d+|OIOUBL-[\w-]+)\]")
_UNNAMED, _UNNAMED_CII = "OIOUBL", "FACTUR-X"
#: The first place, and those that the error book may list after it.
_MOST_PLACES = 6
_NAMESPACE = re.compile(r"\{[^}]*\}")


# Saxon and the ISO skeleton name elements as *:Invoice[…] and Q{urn:…}Invoice, which XPath 1.0 does not know.
_ANY_NAMESPACE = re.compile(r"\*:([\w.-]+)")
_BRACED = re.compile(r"Q\{([^}']*)\}([\w.-]+)")


def xpath_1(location: str) -> str:
    """A rule engine's location in the XPath that lxml understands."""
    plain = _BRACED.sub(r"*[local-name()='\2'][namespace-uri()='\1']", location)
    return _ANY_NAMESPACE.sub(r"*[local-name()='\1']", plain)


def elements_at(root: etree._Element, location: str) -> list[etree._Element]:
    """The elements that a location names, an attribute by its element; nothing where it leads nowhere."""
    names = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
    try:
        found = root.xpath(xpath_1(location), namespaces=names)
    except etree.XPathError:
        return []
    if not isinstance(found, list):
        return []
    elements = [item if isinstance(item, etree._Element) else item.getparent() for item in found]
    return [element for element in elements if element is not None]


@dataclass(frozen=True, slots=True)
class _Complaint:
    rule: str
    severity: Severity
    official: str
    location: str | None

    @property
    def is_unavoidable(self) -> bool:
        """CII's schema demands a delivery, also an empty one; the rule against empty elements then warns of it."""
        return self.rule == "PEPPOL-EN16931-R008" and "ApplicableHeaderTradeDelivery" in (self.location or "")[-40:]

    @property
    def cause(self) -> tuple[str, str]:
        """What is told once: a rule, or the words of an assertion that names no rule."""
        return (self.rule, self.official if self.rule in (_UNNAMED, _UNNAMED_CII) else "")


def _oioubl_complaint(message: str, location: str | None) -> _Complaint:
    found = _OIOUBL_ID.search(message)
    unnamed = _UNNAMED_CII if "CrossIndustryInvoice" in (location or "") else _UNNAMED
    rule = found.group(1) if found else unnamed
    severity = Severity.WARNING if rule.startswith("W-") else Severity.FATAL
    return _Complaint(rule, severity, _plain(_OIOUBL_ID.sub("", message)), location)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _svrl(root: etree._Element) -> Iterator[_Complaint]:
    for failed in root.iter(f"{_SVRL}failed-assert", f"{_SVRL}successful-report"):
        official = "".join(str(part) for part in failed.itertext())
        rule, location = failed.get("id"), failed.get("location")
        if rule is None:
            yield _oioubl_complaint(official, location)
            continue
        severity = Severity.WARNING if failed.get("flag") == "warning" else Severity.FATAL
        yield _Complaint(rule, severity, _plain(official.replace(f"[{rule}]-", "")), location)


def _oioubl(root: etree._Element) -> Iterator[_Complaint]:
    for error in root.iter("Error"):
        yield _oioubl_complaint(error.findtext("Description") or "", error.findtext("Xpath"))


def read_report(xml: str, document: etree._Element | None = None) -> list[Finding]:
    """Findings of one rule run, each rule once, explained by the error book with the values of ``document``.

    Raises ``ValueError`` for an answer that is neither dialect.
    """
    if "failed-assert" not in xml and "successful-report" not in xml and "<Error" not in xml:
        if "schematron-output" not in xml and "<Schematron" not in xml:
            raise ValueError("the rule set answered with something that is no report")
        return []
    root = etree.fromstring(xml.encode())
    grouped: dict[tuple[str, str], list[_Complaint]] = {}
    for complaint in _oioubl(root) if etree.QName(root).localname == "Schematron" else _svrl(root):
        if complaint.is_unavoidable:
            continue
        grouped.setdefault(complaint.cause, []).append(complaint)
    return [_explained(complaints, document) for complaints in grouped.values()]


def _explained(complaints: list[_Complaint], document: etree._Element | None) -> Finding:
    first = complaints[0]
    locations = list(dict.fromkeys(complaint.location for complaint in complaints))
    # A rule may complain of each of a thousand lines, and each location is a search: only those that a text can list.
    places = [_place(document, location) for location in locations[:_MOST_PLACES]]
    return book.explain(
        first.rule,
        first.severity,
        first.official,
        first.location,
        places[0],
        [place for place in places[1:] if place is not None],
        len(locations) - 1,
    )


def _place(document: etree._Element | None, location: str | None) -> etree._Element | None:
    found = elements_at(document, location) if document is not None and location else []
    return found[0] if found else None


def schema_finding(message: str, row: int, path: str | None) -> Finding:
    """The finding for what an XSD said of a document; ``row`` is the line of the file."""
    plain = _NAMESPACE.sub("", message)
    return book.finding("XSD", location=path, row=row, detail=Text(plain, plain))
