"""What partners answer: CONTRL on the syntax of an interchange, APERAK on what a message says.

Syntax version 3 and 4 lay the segments out alike as far as they are read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from invoiceapp.domain.findings import Finding, Severity, Text
from invoiceapp.formats.validation import book

from .error_codes import SYNTAX_ERRORS
from .syntax import Segment, parse, unreadable

CONTRL, APERAK = "CONTRL", "APERAK"

#: 0083: what became of the interchange or message. 8 is a receipt, and no verdict.
_ACTIONS = {"1": True, "2": True, "3": False, "4": False, "5": True, "6": False, "7": True, "8": None}
#: 0085 of an interchange or message that the partner has had before.
_HAD_BEFORE = "26"
#: 1225 of an APERAK, and where that says nothing its name (1001).
_RESPONSES = {"27": False, "12": False, "29": True, "28": True, "30": True, "44": True, "45": True, "6": True}
_NAMES = {"312": True, "313": False}
_DOCUMENT, _MESSAGE = ("IV", "ACE", "DM"), ("ACW",)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A partner's answer to one interchange or message of ours."""

    kind: str
    """``CONTRL`` or ``APERAK``"""
    sender: str
    """Who answers: the mailbox that we sent to"""
    receiver: str
    interchange_reference: str | None
    """0020 of the interchange that it answers"""
    message_reference: str | None
    """0062 of the message that it answers"""
    document_number: str | None
    """Number of the invoice, where it is named"""
    accepted: bool | None
    """None: received, and no verdict yet"""
    findings: tuple[Finding, ...] = ()
    is_duplicate: bool = False
    """It says nothing but that the partner had the interchange before (0085 = 26)"""


def _messages(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """UNH … UNT, without UNT."""
    current: list[Segment] | None = None
    for item in segments:
        if item.tag == "UNH":
            if current is not None:
                raise unreadable("UNT mangler.", "UNT is missing.", item.position)
            current = [item]
        elif item.tag == "UNT":
            if current is None:
                raise unreadable("UNT uden UNH.", "UNT without UNH.", item.position)
            yield current
            current = None
        elif current is not None:
            current.append(item)
    if current is not None:
        raise unreadable("UNT mangler.", "UNT is missing.")


def _error(code: str) -> Text:
    return SYNTAX_ERRORS.get(code) or Text(f"fejlkode {code}", f"error code {code}")


def _element_place(segment: Segment, element: int) -> Text:
    """Where in a segment: element and component, counted from 1 (S011)."""
    at, inner = segment.get(element), segment.get(element, 1)
    if not at:
        return Text("", "")
    component = f", {inner}" if inner else ""
    return Text(f", element {at}{component}", f", element {at}{component}")


def _contrl_finding(code: str, place: Text, segment: Segment) -> Finding:
    return book.finding(
        "EDI-CONTRL-ERROR", reason=_error(code), code=code, place=place, location=f"{segment.tag}[{segment.position}]"
    )


def _reported(segment: Segment, error: int, whole: str) -> Iterator[Finding]:
    """An error in the envelope (UCI, UCF) or in UNH and UNT (UCM); ``whole`` where no segment is named."""
    code, tag = segment.get(error), segment.get(error + 1) or whole
    if code:
        inside = _element_place(segment, error + 2)
        yield _contrl_finding(code, Text(f"{tag}{inside.da}", f"{tag}{inside.en}"), segment)


def _syntax_findings(body: Iterable[Segment]) -> Iterator[Finding]:
    at = "?"
    for item in body:
        if item.tag in ("UCI", "UCF"):
            yield from _reported(item, 4, "UNB")
        elif item.tag == "UCM":
            yield from _reported(item, 3, "UNH")
        elif item.tag == "UCS":
            at = item.get(0) or "?"
            if item.get(1):
                yield _contrl_finding(item.get(1), Text(f"segment {at}", f"segment {at}"), item)
        elif item.tag == "UCD":
            inside = _element_place(item, 1)
            yield _contrl_finding(item.get(0), Text(f"segment {at}{inside.da}", f"segment {at}{inside.en}"), item)


def _verdict(actions: list[bool | None]) -> bool | None:
    """Rejected where any level is; accepted where the interchange is."""
    return False if False in actions else actions[0]


def _contrl(body: Sequence[Segment], ends: tuple[str, str]) -> Acknowledgement:
    uci = next((item for item in body if item.tag == "UCI"), None)
    if uci is None or not uci.get(0):
        raise unreadable("CONTRL mangler UCI.", "The CONTRL has no UCI.", body[0].position)
    ucm = next((item for item in body if item.tag == "UCM"), None)
    actions = [_ACTIONS.get(uci.get(3))]
    actions += [_ACTIONS.get(item.get(2)) for item in body if item.tag == "UCM"]
    actions += [_ACTIONS.get(item.get(3)) for item in body if item.tag == "UCF"]
    accepted = _verdict(actions)
    findings = list(_syntax_findings(body))
    if accepted is False and not findings:
        findings.append(book.finding("EDI-CONTRL-REJECTED", value=uci.get(0)))
    return Acknowledgement(
        CONTRL, *ends, uci.get(0), ucm.get(0) if ucm and ucm.get(0) else None, None, accepted, tuple(findings),
        is_duplicate=accepted is False and set(_error_codes(body)) == {_HAD_BEFORE},
    )  # fmt: skip


def _error_codes(body: Iterable[Segment]) -> Iterator[str]:
    """Every 0085 of a CONTRL."""
    place = {"UCI": 4, "UCF": 4, "UCM": 3, "UCS": 1, "UCD": 0}
    for item in body:
        if item.tag in place and item.get(place[item.tag]):
            yield item.get(place[item.tag])


def _referenced(body: Iterable[Segment], qualifiers: Sequence[str]) -> str | None:
    """The reference with the first qualifier that is there."""
    found = {item.get(0): item.get(0, 1) for item in reversed(list(body)) if item.tag == "RFF"}
    return next((found[qualifier] for qualifier in qualifiers if found.get(qualifier)), None)


def _words(segment: Segment) -> str:
    return " ".join(part for part in segment.all(3) if part)


def _errors(body: Sequence[Segment]) -> Iterator[tuple[str, str]]:
    """Code (ERC) and text (FTX) of each error; without a code what the whole message says."""
    code = ""
    words: list[str] = []
    for item in body:
        if item.tag == "ERC":
            if code or words:
                yield code, " ".join(words)
            code, words = item.get(0), []
        elif item.tag == "FTX" and _words(item):
            words.append(_words(item))
    if code or words:
        yield code, " ".join(words)


def _aperak(body: Sequence[Segment], ends: tuple[str, str]) -> Acknowledgement:
    bgm = next((item for item in body if item.tag == "BGM"), None)
    if bgm is None:
        raise unreadable("APERAK mangler BGM.", "The APERAK has no BGM.", body[0].position)
    accepted = _RESPONSES.get(bgm.get(2))
    if accepted is None:
        accepted = _NAMES.get(bgm.get(0))
    if accepted is None and any(item.tag == "ERC" for item in body):
        accepted = False
    number = _referenced(body, _DOCUMENT)
    severity = Severity.FATAL if accepted is False else Severity.INFO
    findings = [
        book.finding("EDI-APERAK-ERROR", severity, code=code or "–", reason=words or "–", document=number or "–")
        for code, words in _errors(body)
    ]
    if accepted is False and not findings:
        findings.append(book.finding("EDI-APERAK-REJECTED", document=number or "–"))
    return Acknowledgement(APERAK, *ends, None, _referenced(body, _MESSAGE), number, accepted, tuple(findings))


_READERS = {CONTRL: _contrl, APERAK: _aperak}


def read_acknowledgements(content: bytes) -> tuple[Acknowledgement, ...]:
    """Every CONTRL and APERAK of an interchange, at least one. Raises ``Unreadable``."""
    segments = parse(content)
    ends = segments[0].get(1), segments[0].get(2)
    found = tuple(_READERS[body[0].get(1)](body, ends) for body in _messages(segments) if body[0].get(1) in _READERS)
    if not found:
        raise unreadable("Filen har hverken CONTRL eller APERAK.", "The file has neither a CONTRL nor an APERAK.")
    return found
