"""The envelope around a document (Peppol Business Message Envelope 2.0.1, UN/CEFACT SBDH 1.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import PARTICIPANT_SCHEME, Identifier

from . import markup
from .errors import EbmsFault
from .names import SBDH, q

#: What is read at most.
LARGEST = 20_000_000
ROOT = q(SBDH, "StandardBusinessDocument")
#: Where a scope names no scheme (envelope 1.x).
DEFAULT_SCHEMES = {"DOCUMENTID": "busdox-docid-qns", "PROCESSID": "cenbii-procid-ubl"}
_ENCODING = re.compile(rb"""\A(?:\xef\xbb\xbf)?<\?xml\s[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


class PayloadUnusable(ValueError):
    """What is to be wrapped is no single XML document, or is wrapped already."""

    def __init__(self, detail: str, *, is_wrapped: bool = False) -> None:
        super().__init__(detail)
        self.is_wrapped = is_wrapped


@dataclass(frozen=True, slots=True)
class Scope:
    """One more scope of the header, as ``MLS_TO``."""

    type: str
    instance: str
    identifier: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """Who sends what to whom."""

    sender: Participant
    receiver: Participant
    instance_id: str
    """Globally unique, a UUID"""
    document_id: Identifier
    process: Identifier
    created: datetime
    """Aware"""
    standard: str = ""
    """Namespace of the document's root"""
    type: str = ""
    """Local name of the document's root"""
    type_version: str = "2.1"
    country_c1: str | None = None
    """Where the sender lives, ISO 3166-1"""
    scopes: tuple[Scope, ...] = ()
    """Further ones, in order"""


@dataclass(frozen=True, slots=True)
class Name:
    """Of a document's root."""

    namespace: str
    local: str

    @property
    def is_envelope(self) -> bool:
        """Whether it is an SBDH already."""
        return q(self.namespace, self.local) == ROOT


def _seek(content: bytes, depth: int, number: int) -> tuple[Name, bytes]:
    """Name and octets of the element that is the ``number``-th at ``depth`` (the root is at 1), of UTF-8.

    Raises ``PayloadUnusable``.
    """
    # expat has no limit for a text node, where libxml2 takes no attachment of more than 10 MB.
    parser = expat.ParserCreate("UTF-8", "\n")
    level, seen, begin, end, name = 0, 0, -1, -1, ""

    def opened(tag: str, _: object) -> None:
        nonlocal level, seen, begin, name
        level += 1
        if level == depth:
            seen += 1
            if seen == number:
                begin, name = parser.CurrentByteIndex, tag

    def closed(_: object) -> None:
        nonlocal level, end
        if level == depth and seen == number:
            end = parser.CurrentByteIndex
        level -= 1

    def doctype(*_: object) -> None:
        raise PayloadUnusable("a DTD is not allowed")

    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise PayloadUnusable(f"no XML: {expat.ErrorString(error.code)}") from None
    # Where the element is empty there is no closing tag to look for.
    behind = content.find(b">", end) + 1
    if not 0 <= begin < end < behind:
        raise PayloadUnusable("an empty element")
    namespace, _, local = name.rpartition("\n")
    return Name(namespace, local), content[begin:behind]


def build(payload: bytes, header: Header, extra_scopes: Iterable[Scope] = ()) -> bytes:
    """The document in its envelope. The octets of its root element stay, and so does its exclusive canonical form.

    ``standard`` and ``type`` of the header are those of the document where they are empty. Raises ``PayloadUnusable``.
    """
    name, bare = _seek(_utf8(payload), 1, 1)
    if name.is_envelope:
        raise PayloadUnusable("it has an envelope already", is_wrapped=True)
    scopes = (
        Scope("DOCUMENTID", header.document_id.value, header.document_id.scheme),
        Scope("PROCESSID", header.process.value, header.process.scheme),
        *((Scope("COUNTRY_C1", header.country_c1),) if header.country_c1 else ()),
        *header.scopes,
        *extra_scopes,
    )
    created = header.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # A prefix, not a default namespace, which elements of the document that have none would inherit.
    opening = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<sh:StandardBusinessDocument xmlns:sh="{SBDH}">'
        "<sh:StandardBusinessDocumentHeader><sh:HeaderVersion>1.0</sh:HeaderVersion>"
        f"{_partner('Sender', header.sender)}{_partner('Receiver', header.receiver)}"
        "<sh:DocumentIdentification>"
        f"{_element('Standard', header.standard or name.namespace)}{_element('TypeVersion', header.type_version)}"
        f"{_element('InstanceIdentifier', header.instance_id)}{_element('Type', header.type or name.local)}"
        f"{_element('CreationDateAndTime', created)}"
        "</sh:DocumentIdentification>"
        f"<sh:BusinessScope>{''.join(map(_scope, scopes))}</sh:BusinessScope>"
        "</sh:StandardBusinessDocumentHeader>\n"
    )
    return b"".join((opening.encode(), bare, b"\n</sh:StandardBusinessDocument>"))


def _element(name: str, text: str) -> str:
    return f"<sh:{name}>{escape(text)}</sh:{name}>"


def _partner(name: str, participant: Participant) -> str:
    return (
        f"<sh:{name}><sh:Identifier Authority={quoteattr(PARTICIPANT_SCHEME)}>{escape(str(participant))}"
        f"</sh:Identifier></sh:{name}>"
    )


def _scope(scope: Scope) -> str:
    identifier = _element("Identifier", scope.identifier) if scope.identifier else ""
    return f"<sh:Scope>{_element('Type', scope.type)}{_element('InstanceIdentifier', scope.instance)}{identifier}</sh:Scope>"


def _utf8(payload: bytes) -> bytes:
    """The document in UTF-8, whatever its declaration still says."""
    declared = _ENCODING.match(payload)
    name = "utf-16" if payload[:2] in (b"\xff\xfe", b"\xfe\xff") else declared[1].decode() if declared else "utf-8"
    if name.lower() in ("utf-8", "us-ascii", "ascii"):
        return payload
    try:
        return payload.decode(name).encode()
    except (LookupError, UnicodeDecodeError):
        raise PayloadUnusable("an encoding that is not known") from None


def read(content: bytes) -> tuple[Header, bytes]:
    """The header and the document inside: its octets as they stand there, wherever it can be read on its own.

    Raises ``EbmsFault``.
    """
    root = markup.parse(content, LARGEST)
    if root.tag != ROOT:
        raise EbmsFault("no StandardBusinessDocument")
    inside = [one for one in root if isinstance(one.tag, str)]
    if len(inside) != 2 or inside[0].tag != q(SBDH, "StandardBusinessDocumentHeader"):
        raise EbmsFault("an SBDH holds a header and one document")
    return _header(inside[0], inside[1]), _payload(content, inside[1])


def _header(header: markup.Element, payload: markup.Element) -> Header:
    identification = markup.only(header, q(SBDH, "DocumentIdentification"))
    scopes = [
        _read_scope(one) for one in markup.children(markup.only(header, q(SBDH, "BusinessScope")), q(SBDH, "Scope"))
    ]
    known = {name: _one_scope(scopes, name) for name in ("DOCUMENTID", "PROCESSID")}
    country = [scope.instance for scope in scopes if scope.type == "COUNTRY_C1"]
    if len(country) > 1:
        raise EbmsFault("more than one COUNTRY_C1")
    name = etree.QName(payload)
    standard, kind = (markup.plain(markup.only(identification, q(SBDH, part))) for part in ("Standard", "Type"))
    if (standard, kind) != (name.namespace or "", name.localname):
        raise EbmsFault("the SBDH names another kind of document than it holds")
    return Header(
        _participant(header, "Sender"),
        _participant(header, "Receiver"),
        markup.text_of(identification, q(SBDH, "InstanceIdentifier")),
        known["DOCUMENTID"],
        known["PROCESSID"],
        _moment(markup.text_of(identification, q(SBDH, "CreationDateAndTime"))),
        standard,
        kind,
        markup.text_of(identification, q(SBDH, "TypeVersion")),
        country[0] if country else None,
        tuple(scope for scope in scopes if scope.type not in ("DOCUMENTID", "PROCESSID", "COUNTRY_C1")),
    )


def _participant(header: markup.Element, name: str) -> Participant:
    identifier = markup.only(markup.only(header, q(SBDH, name)), q(SBDH, "Identifier"))
    scheme, _, value = markup.plain(identifier).partition(":")
    if identifier.get("Authority") != PARTICIPANT_SCHEME or not (scheme and value):
        raise EbmsFault(f"{name} of the SBDH is no participant identifier")
    return Participant(scheme, value)


def _read_scope(scope: markup.Element) -> Scope:
    identifier = markup.children(scope, q(SBDH, "Identifier"))
    return Scope(
        markup.text_of(scope, q(SBDH, "Type")),
        markup.text_of(scope, q(SBDH, "InstanceIdentifier")),
        markup.plain(identifier[0]) or None if identifier else None,
    )


def _one_scope(scopes: Iterable[Scope], name: str) -> Identifier:
    found = [scope for scope in scopes if scope.type == name]
    if len(found) != 1:
        raise EbmsFault(f"{len(found)} {name} in the SBDH")
    return Identifier(found[0].identifier or DEFAULT_SCHEMES[name], found[0].instance)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise EbmsFault("CreationDateAndTime of the SBDH is no time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _payload(content: bytes, element: markup.Element) -> bytes:
    """Octets where they mean the same on their own: namespaces declared on the envelope are lost outside of it."""
    try:
        cut = _seek(_utf8(content), 2, 2)[1]
        if markup.canonical(markup.parse(cut, LARGEST)) == markup.canonical(element):
            return cut
    except (PayloadUnusable, EbmsFault):
        pass
    whole: bytes = etree.tostring(element, encoding="UTF-8", xml_declaration=True, with_tail=False)
    return whole
