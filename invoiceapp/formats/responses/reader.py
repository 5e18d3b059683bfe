"""Bytes -> ``BusinessResponse``. Strangers write them: sizes, counts and texts are capped, and DTDs refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import islice

from lxml import etree

from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, SE, Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import Unreadable
from invoiceapp.formats.ubl.envelope import unwrap
from invoiceapp.formats.ubl.reading.nodes import Node, unreadable
from invoiceapp.formats.validation.validator import parse_xml

from . import codes
from .values import BusinessResponse, By, Kind, LineNote, Reason, Says

#: Bytes.
LARGEST = 5_000_000
#: Characters of one text, and entries of one list, that are kept.
LONGEST_TEXT = 1_000
MOST_ENTRIES = 50
#: Characters of an id.
_LONGEST_ID = 200

_ROOT = "{urn:oasis:names:specification:ubl:schema:xsd:ApplicationResponse-2}ApplicationResponse"
_KINDS = {
    "OIOUBL-2.1": Kind.OIOUBL,
    "urn:fdc:peppol.eu:poacc:trns:invoice_response:3": Kind.INVOICE_RESPONSE,
    "urn:fdc:peppol.eu:poacc:trns:mlr:3": Kind.MLR,
    # Of OIOUBL 3, which was withdrawn.
    "urn:fdc:peppol.eu:poacc:trns:mlr:3@urn:fdc:oioubl.dk:trns:message_level_response:3.0": Kind.MLR,
    "urn:peppol:edec:mls:1.0": Kind.MLS,
}
#: Names of OIOUBL for schemes of the EAS list; VANS operators write EAN, too.
_SCHEMES = {"GLN": GLN, "EAN": GLN, "DK:CVR": CVR, "DK:SE": SE, "DK:P": P_NUMBER}
_TYPES = {
    "380": DocumentType.INVOICE, "381": DocumentType.CREDIT_NOTE,
    "Invoice": DocumentType.INVOICE, "CreditNote": DocumentType.CREDIT_NOTE,
}  # fmt: skip
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})?")


#: Of a document that we wrote; where there is one, it stands before the first line.
_OWN_UUID = re.compile(rb"<(?:[\w.-]+:)?UUID(?:\s[^>]*)?>\s*([0-9A-Fa-f-]{36})\s*<")
_HEAD = 20_000


def uuid_of(document: bytes) -> str | None:
    """The ``cbc:UUID`` by which a response names a UBL document of ours, lower-case; None where it has none."""
    found = _OWN_UUID.search(document, 0, _HEAD)
    return found[1].decode().lower() if found else None


def is_response(content: bytes) -> bool:
    """Whether the bytes are an ApplicationResponse, in an envelope or bare, whether or not ``read_response`` knows its kind."""
    try:
        _open(content)
    except Unreadable:
        return False
    return True


def read_response(content: bytes) -> BusinessResponse:
    """What a response says. Raises ``Unreadable``."""
    root = _open(content)
    customization = root.needed_text("CustomizationID")
    kind = _KINDS.get(customization)
    if kind is None:
        raise root.wrong("CustomizationID", customization)
    answers = root.nodes("DocumentResponse")
    if len(answers) != 1:
        # F-APR054, and one in every Peppol rule set: which of several counts is not ours to guess.
        raise unreadable("Det svarer ikke på netop ét dokument.", "It does not answer exactly one document.")
    return _response(kind, root, answers[0])


def _open(content: bytes) -> Node:
    """The ApplicationResponse. Raises ``Unreadable``."""
    if len(content) > LARGEST:
        raise unreadable("Filen er for stor.", "The file is too large.")
    root = parse_xml(unwrap(content))
    if isinstance(root, Finding):
        raise Unreadable(root.text)
    if root.tag != _ROOT:
        raise unreadable("Det er ikke et svar (ApplicationResponse).", "It is no response (ApplicationResponse).")
    # A comment would cut a value in two.
    etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
    return Node(root)


def _response(kind: Kind, root: Node, answer: Node) -> BusinessResponse:
    stated, about = answer.node("Response"), answer.needed("DocumentReference")
    code = _id(stated.needed_text("ResponseCode")) if stated else ""
    if stated is None:
        raise answer.missing("Response")
    uuid = about.text("UUID")
    says, by = _meaning(kind, code, stated)
    return BusinessResponse(
        kind=kind,
        id=_id(root.text("ID") or root.text("UUID") or ""),
        code=code,
        says=says,
        by=by,
        reference=_id(about.needed_text("ID")),
        sender=_participant(root.node("SenderParty")),
        receiver=_participant(root.node("ReceiverParty")),
        sender_name=_name(root.node("SenderParty")),
        reasons=tuple(dict.fromkeys(islice(_reasons(stated, root), MOST_ENTRIES))),
        lines=tuple(islice(_lines(answer), MOST_ENTRIES)),
        document_date=_date(about.text("IssueDate")),
        document_type=_TYPES.get(about.text("DocumentTypeCode") or ""),
        document_uuid=_id(uuid).lower() if uuid else None,
        issued=_issued(root),
    )


def _meaning(kind: Kind, code: str, stated: Node) -> codes.Meaning:
    says, by = codes.MEANINGS[kind].get(code, (Says.UNCLEAR, By.RECEIVER_SYSTEM))
    if says is Says.PAID and codes.PARTLY_PAID in stated.texts("Status/StatusReasonCode"):
        return Says.PARTLY_PAID, by
    return says, by


def _id(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_ID]


def _words(text: str) -> str:
    """One line of what somebody wrote, without what no page can show."""
    line = " ".join(text.split())
    return "".join(character for character in line if character.isprintable())[:LONGEST_TEXT]


def _free(text: str) -> Text:
    words = _words(text)
    return Text(words, words)


def _coded(meaning: Text | None, code: str, *details: str) -> Text:
    """The code's words, then what was written beside it."""
    meaning = meaning or Text(code, code)
    added = "; ".join(words for words in map(_words, details) if words)
    if not added:
        return meaning
    if not meaning.da:
        return Text(added, added)
    return Text(f"{meaning.da}: {added}", f"{meaning.en}: {added}")


def _reasons(stated: Node, root: Node) -> Iterator[Reason]:
    for text in stated.texts("Description"):
        yield Reason(_free(text))
    for status in stated.nodes("Status"):
        yield from _status(status)
    for text in root.texts("Note"):
        yield Reason(_free(text))


def _status(status: Node) -> Iterator[Reason]:
    """One status with its list's words (OPStatusReason, OPStatusAction) and the right values (conditions)."""
    code = _id(status.text("StatusReasonCode") or "")
    is_action = status.attribute("StatusReasonCode", "listID") == "OPStatusAction"
    known = codes.ACTIONS if is_action else {**codes.ISSUES, **codes.REASONS}
    details = [*status.texts("StatusReason"), *map(_condition, status.nodes("Condition"))]
    if code in codes.EMPTY:
        code = ""
    if code or any(details):
        yield Reason(_coded(known.get(code), code, *details), code)


def _condition(node: Node) -> str:
    """``BT-48: DK99999999``: which field should hold what."""
    return ": ".join(text for text in (node.text("AttributeID"), ", ".join(node.texts("Description"))) if text)


def _lines(answer: Node) -> Iterator[LineNote]:
    for line in answer.nodes("LineResponse"):
        place = _words(line.text("LineReference/LineID") or "NA")
        for response in line.nodes("Response"):
            code = _id(response.text("Status/StatusReasonCode") or response.text("ResponseCode") or "")
            details = [*response.texts("Description"), *response.texts("Status/StatusReason")]
            yield LineNote(place, _coded(codes.ISSUES.get(code), code, *details), code)


def _participant(party: Node | None) -> Participant | None:
    value = party.text("EndpointID") if party else None
    scheme = party.attribute("EndpointID", "schemeID") if party else None
    if not value or not scheme:
        return None
    return Participant.of(_SCHEMES.get(scheme, _id(scheme)), _id(value))


def _name(party: Node | None) -> str:
    if party is None:
        return ""
    return _words(party.text("PartyLegalEntity/RegistrationName") or party.text("PartyName/Name") or "")


def _date(text: str | None) -> date | None:
    shape = _DATE.fullmatch(text or "")
    try:
        return date.fromisoformat(shape.group(1)) if shape else None
    except ValueError:
        return None


def _issued(root: Node) -> str:
    day, time = _date(root.text("IssueDate")), root.text("IssueTime") or ""
    if day is None:
        return ""
    return f"{day.isoformat()}T{time}" if _TIME.fullmatch(time) else day.isoformat()
