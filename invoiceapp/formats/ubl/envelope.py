"""The envelope that Peppol and NemHandel carry documents in: SBDH, Business Message Envelope 2.0.1.

Access points mostly put it on themselves, with the identifiers that the
receiver's register (SMP) answers; this is for those that want it done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any
from xml.parsers import expat

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Interchange, Unreadable

from .profiles import Ids, namespace
from .xml import escape

_SBDH = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"
_DECLARATION = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml\s[^>]*\?>\s*")


def route(invoice: Invoice, options: Mapping[str, Any]) -> tuple[str, str] | None:
    """Sender and receiver, where there is an envelope that carries an ``Interchange``."""
    seller, buyer = invoice.seller.endpoint, invoice.buyer.endpoint
    if not options.get("envelope") or seller is None or buyer is None:
        return None
    return str(seller), str(buyer)


def wrap(ubl: bytes, invoice: Invoice, ids: Ids, interchange: Interchange) -> bytes:
    """The document in its envelope; its own bytes stay as they are, without the XML declaration.

    Raises ``ValueError`` for a party without an electronic address, which ``Format.check`` refuses before.
    """
    root = "CreditNote" if invoice.is_credit_note else "Invoice"
    header = _group(
        "StandardBusinessDocumentHeader",
        _leaf("HeaderVersion", "1.0"),
        _group("Sender", _participant(invoice.seller.endpoint)),
        _group("Receiver", _participant(invoice.buyer.endpoint)),
        _group(
            "DocumentIdentification",
            _leaf("Standard", namespace(root)),
            _leaf("TypeVersion", ids.customization.ubl_version),
            _leaf("InstanceIdentifier", interchange.instance_id),
            _leaf("Type", root),
            _leaf("CreationDateAndTime", _made(interchange)),
        ),
        _group(
            "BusinessScope",
            _scope("DOCUMENTID", ids.document_type(root), "busdox-docid-qns"),
            _scope("PROCESSID", ids.process.id, ids.process.scheme),
            # Mandatory since 2.0 of the envelope. The sender's country is ours to know: no address means Denmark.
            _scope("COUNTRY_C1", invoice.seller.address.country or "DK"),
        ),
    )
    return b"".join(
        (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<StandardBusinessDocument xmlns="{_SBDH}">{header}'.encode(),
            _DECLARATION.sub(b"", ubl).rstrip(),
            b"</StandardBusinessDocument>\n",
        )
    )


_INSTANCE = re.compile(rb"(</TypeVersion><InstanceIdentifier>)[^<]*")
_MADE = re.compile(rb"(<CreationDateAndTime>)[^<]*")


def renumber(content: bytes, before: Interchange, after: Interchange) -> bytes:
    """What ``wrap`` made, as another message: a resent envelope has an id of its own (Business Message Envelope 2.0.1)."""
    header, separator, rest = content.partition(b"</StandardBusinessDocumentHeader>")
    if not separator:
        raise ValueError("no envelope of ours")
    header = _INSTANCE.sub(rb"\g<1>" + after.instance_id.encode(), header)
    return _MADE.sub(rb"\g<1>" + _made(after).encode(), header) + separator + rest


def _made(interchange: Interchange) -> str:
    return interchange.prepared_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _leaf(name: str, text: str, attribute: str = "") -> str:
    return f"<{name}{attribute}>{escape(text)}</{name}>"


def _group(name: str, *children: str) -> str:
    return f"<{name}>{''.join(children)}</{name}>"


def _participant(participant: Participant | None) -> str:
    if participant is None:
        raise ValueError("an envelope needs the electronic addresses of both parties")
    return _leaf("Identifier", str(participant), ' Authority="iso6523-actorid-upis"')


def _scope(kind: str, value: str, scheme: str | None = None) -> str:
    return _group(
        "Scope", _leaf("Type", kind), _leaf("InstanceIdentifier", value), _leaf("Identifier", scheme) if scheme else ""
    )


#: What may stand before the root element, without a DOCTYPE.
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_ROOT = re.compile(rb"<(?:[\w.-]+:)?StandardBusinessDocument[\s/>]")
_ENCODINGS = frozenset(["utf-8", "us-ascii"])
_HEADER = f"{_SBDH} StandardBusinessDocumentHeader"


def unwrap(content: bytes) -> bytes:
    """The document inside an envelope, byte for byte as it stood there, without XML declaration.

    What is no envelope comes back unchanged. Raises ``Unreadable`` for a
    DOCTYPE, for a broken envelope, and for one without exactly one document.
    """
    prolog = _PROLOG.match(content)
    start = prolog.end() if prolog else 0
    # Refused before a parser sees it: an entity must not be expanded even once.
    if content.startswith(b"<!DOCTYPE", start):
        raise _unreadable("Filen har en DOCTYPE, og det tillader vi ikke.", "The file has a DOCTYPE, which is refused.")
    if not _ROOT.match(content, start):
        return content
    try:
        return _Opener(content).payload()
    except expat.ExpatError as error:
        raise _unreadable(
            f"Konvolutten er ikke gyldig XML: {error}", f"The envelope is not valid XML: {error}"
        ) from error


def _unreadable(da: str, en: str) -> Unreadable:
    return Unreadable(Text(da, en))


class _Opener:
    """Finds where in the bytes the payload lies, with a parser that counts bytes (expat)."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.encoding = "utf-8"
        self.depth = 0
        self.children: list[str] = []
        """Names of the elements right in the envelope: the header, and the payload"""
        self.start = self.end = 0
        self.outer: dict[str, str] = {}
        """Prefixes that the envelope declares …"""
        self.own: set[str] = set()
        """… and those that the payload declares itself"""
        # Whatever the declaration says: the payload goes on without it, and so must be UTF-8.
        self.parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartNamespaceDeclHandler = self._namespace
        self.parser.StartElementHandler = self._start_element
        self.parser.EndElementHandler = self._end_element

    def payload(self) -> bytes:
        """Raises ``Unreadable``, or expat's own error."""
        self.parser.Parse(self.content, True)
        if self.encoding not in _ENCODINGS:
            raise _unreadable("Konvolutten skal være i UTF-8.", "The envelope must be in UTF-8.")
        if len(self.children) != 2 or self.children[0] != _HEADER:
            raise _unreadable(
                "Konvolutten (SBDH) indeholder ikke netop ét dokument.",
                "The envelope (SBDH) does not hold exactly one document.",
            )
        found = self.content[self.start : self.end].rstrip()
        return found if _stands_alone(found) else self._with_prefixes(found)

    def _with_prefixes(self, found: bytes) -> bytes:
        """Some envelopes declare the payload's namespaces, too; taken out, it must declare them itself."""
        added = "".join(f' xmlns:{name}="{escape(uri)}"' for name, uri in self.outer.items() if name not in self.own)
        return re.sub(rb"\A<[^\s/>]+", lambda name: name[0] + added.encode(), found)

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        self.encoding = (encoding or "utf-8").lower()

    def _namespace(self, prefix: str | None, uri: str) -> None:
        if prefix and self.depth == 0:
            self.outer[prefix] = uri
        elif prefix and self.depth == 1 and len(self.children) == 1:
            self.own.add(prefix)

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        if self.depth == 1:
            self.children.append(name)
            self.start = self.parser.CurrentByteIndex
        self.depth += 1

    def _end_element(self, name: str) -> None:
        self.depth -= 1
        if self.depth == 0:
            # Where the envelope's own end tag begins: only blanks and comments can lie between it and the payload.
            self.end = self.parser.CurrentByteIndex


def _stands_alone(found: bytes) -> bool:
    try:
        expat.ParserCreate(namespace_separator=" ").Parse(found, True)
    except expat.ExpatError as error:
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_UNBOUND_PREFIX]:
            return False
        raise
    return True
