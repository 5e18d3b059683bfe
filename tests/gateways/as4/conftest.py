"""A message that lies ready, and what may be changed about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from lxml import etree
from support.receivers.as4 import identity

from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.network import Identifier
from invoiceapp.gateways.as4 import ebms, exchange, markup, mime, receiving, sbdh
from invoiceapp.gateways.as4.exchange import Sealed
from invoiceapp.gateways.as4.receiving import Answer, MessageRefused, Opened
from invoiceapp.gateways.as4.sbdh import Header
from invoiceapp.gateways.as4.wss import Identity

INVOICE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"'
    b' xmlns:cbc="urn:cbc"><cbc:ID>2026-17</cbc:ID><cbc:Note>\xc3\xa6\xc3\xb8\xc3\xa5 &amp; &lt;b&gt;</cbc:Note></Invoice>\n'
)
HEADER = Header(
    Participant(CVR, "12345674"),
    Participant(GLN, "5798000000001"),
    "0f5e3a34-9b0c-4f5b-8c37-8d8f0f6ef001",
    Identifier("busdox-docid-qns", "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2::Invoice##urn:x::2.1"),
    Identifier("cenbii-procid-ubl", "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"),
    datetime(2026, 11, 23, 8, 30, tzinfo=UTC),
    country_c1="DK",
)
MESSAGE_ID = "key@as4.invoiceapp"
Change = Callable[[Any], None]


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@dataclass(frozen=True)
class Conversation:
    """Two access points; what travels between them can be changed on the way."""

    ours: Identity
    theirs: Identity

    def sealed(self, content: bytes | None = None, header: Header = HEADER, **changes: Any) -> Sealed:
        message = exchange.user_message(header, MESSAGE_ID, "conversation", "POP000001", "POP000002")
        envelope = sbdh.build(INVOICE, header) if content is None else content
        receiver = changes.pop("encrypted_for", self.theirs.certificate)
        return exchange.build_message(replace(message, **changes), envelope, self.ours, receiver)

    def open(
        self, sealed: Sealed, body: bytes | None = None, trust: Callable[[x509.Certificate], None] = lambda _: None
    ) -> Opened:
        whole = sealed.body if body is None else body
        return receiving.open_message(lower(sealed.headers), whole, [self.theirs.key], trust)

    def fault(self, sealed: Sealed, body: bytes | None = None) -> str:
        """The code by which it is refused."""
        with pytest.raises(MessageRefused) as refused:
            self.open(sealed, body)
        return refused.value.fault.code

    def altered(self, sealed: Sealed, change: Change) -> bytes:
        """The message with its SOAP part changed on the way."""
        package = mime.parse(lower(sealed.headers), sealed.body)
        soap = changed(package.soap, change)
        assert soap != package.soap
        return sealed.body.replace(package.soap, soap)

    def receipt(self, sealed: Sealed, by: Identity | None = None) -> Answer:
        return receiving.receipt(self.open(sealed), by or self.theirs)

    def check(self, answer: Answer, sealed: Sealed) -> exchange.Proof:
        return exchange.check_answer(
            {"content-type": answer.media_type}, answer.content, sealed, self.theirs.certificate
        )


def changed(soap: bytes, change: Change) -> bytes:
    root = markup.parse(soap, ebms.LARGEST)
    change(root)
    return exchange.written(root)


def find(root: Any, name: str) -> Any:
    """The first element of that local name."""
    return next(one for one in root.iter(etree.Element) if etree.QName(one).localname == name)


@pytest.fixture(scope="session")
def conversation() -> Conversation:
    return Conversation(identity("POP000001"), identity("POP000002"))


@pytest.fixture(scope="session")
def sealed(conversation: Conversation) -> Sealed:
    return conversation.sealed()


@pytest.fixture(scope="session")
def receipt(conversation: Conversation, sealed: Sealed) -> Answer:
    return conversation.receipt(sealed)
