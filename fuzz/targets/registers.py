"""What registers answer: SMP (signed and not), the SML's records, Peppol Directory, NemHandelsregisteret."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import dns.exception
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from support.pki import Holder, Pki, make_pki
from support.smp import BIS, WHO, endpoint_xml, metadata, process_xml, redirect, service_group, sign

from invoiceapp.discovery import directory, nemhandelsregisteret, sml
from invoiceapp.discovery.asking import Asking
from invoiceapp.discovery.base import CouldNotAsk
from invoiceapp.discovery.smp import Publisher
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.http import Answer

from ..engine import Target


class Line:
    """In place of the HTTP client: every answer is the input."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def request(self, *_: object, **__: object) -> Answer:
        return Answer(200, {}, self.content)


def asking(content: bytes) -> Asking:
    return Asking(Line(content), Deadline(60, 60))  # type: ignore[arg-type]


@cache
def pki() -> Pki:
    return make_pki("SMP")


@cache
def smp_holder() -> Holder:
    return pki().holder("PDK000001")


@cache
def publisher() -> Publisher:
    return Publisher("https://smp.example", Network.PEPPOL, WHO, pki().root_pem + pki().intermediate_pem)


def group(content: bytes) -> object:
    return publisher().registration(asking(content))


def as_it_came(content: bytes) -> object:
    return publisher().endpoint(BIS, asking(content))


def properly_signed(content: bytes) -> object:
    """The same by an SMP whom the network trusts, whatever it says."""
    try:
        root = etree.fromstring(content)
        signed = sign(root, smp_holder(), pki().intermediate.certificate)
    except Exception:  # what nobody can sign
        return None
    return publisher().endpoint(BIS, asking(signed))


def _services() -> Iterator[bytes]:
    certificate = base64.b64encode(smp_holder().certificate.public_bytes(Encoding.DER)).decode()
    endpoint = endpoint_xml(certificate, start="2020-01-01T00:00:00Z", end="2099-01-01")
    yield etree.tostring(metadata(process_xml(BIS.processes[0], endpoint)))
    yield etree.tostring(redirect("https://smp2.example/x", "CN=PDK000001,O=Test,C=DK"))


def _signed() -> Iterator[bytes]:
    for content in _services():
        yield sign(etree.fromstring(content), smp_holder(), pki().intermediate.certificate)


def record(content: bytes) -> object:
    """A NAPTR record as a name server sends it."""
    try:
        message = dns.message.from_wire(content)
    except dns.exception.DNSException:
        return None
    found = [
        one
        for rrset in message.answer
        for one in rrset
        if (one.rdtype, one.rdclass) == (dns.rdatatype.NAPTR, dns.rdataclass.IN)
    ]
    return bool(found and sml._address(found))


def _records() -> Iterator[bytes]:
    question = dns.message.make_query("x.test", dns.rdatatype.NAPTR)
    answer = dns.message.make_response(question)
    text = '100 10 "U" "Meta:SMP" "!^.*$!https://smp.example/!" .'
    answer.answer.append(dns.rrset.from_text("x.test.", 60, "IN", "NAPTR", text))
    yield answer.to_wire()


def named(content: bytes) -> object:
    return directory.named(Line(content), "https://d.example", "Fjordby", "DK", Deadline(60, 60))  # type: ignore[arg-type]


def company(content: bytes) -> object:
    return nemhandelsregisteret.company(Line(content), "https://n.example", "90004107", Deadline(60, 60))  # type: ignore[arg-type]


def receiver(content: bytes) -> object:
    who = Participant("0088", "5798990001118")
    return nemhandelsregisteret.receiver(Line(content), "https://n.example", who, Deadline(60, 60))  # type: ignore[arg-type]


def _companies() -> Iterator[bytes]:
    binding: dict[str, Any] = {"NetworkTypeId": 4, "Role": {"Name": "Customer"}, "Profile": {"Name": "urn:fdc:x"}}
    flagged = {"role": "Customer", "profile": "p", "isPeppolEnabled": True, "isNhAs4Enabled": False}
    entry = {"Key": "5798990001118", "KeyType": "GLN", "UnitName": "Skole", "UnitCVR": "90004107"}
    for bindings in ([binding], [flagged], [binding, flagged]):
        yield json.dumps({
            "CvrNummer": "90004107", "VirksomhedsNavnFormel": "Fjordby", "adresse": {"landekode": "DK"},
            "Modtagere": [{**entry, "ParticipantBindings": bindings}],
        }).encode()  # fmt: skip
    yield json.dumps([{"participant": {**entry, "bindings": [binding]}}]).encode()


def _matches() -> Iterator[bytes]:
    scheme = "iso6523-actorid-upis"
    types = [{"scheme": "busdox-docid-qns", "value": "urn:x::Invoice##y::2.1"}]
    for name in ([{"name": "Fjordby", "language": "da"}], "Fjordby"):
        match = {"participantID": {"scheme": scheme, "value": "0088:5798990001118"}, "docTypes": types,
                 "entities": [{"name": name, "countryCode": "DK"}]}  # fmt: skip
        yield json.dumps({"version": "1.0", "total-result-count": 1, "matches": [match]}).encode()


def replacement(content: bytes) -> object:
    one = SimpleNamespace(service=b"Meta:SMP", flags=b"U", order=1, preference=1, regexp=content)
    return bool(sml._address([one]))


TARGETS = (
    Target("smp-group", group, lambda: [service_group([str(BIS.document_id)])], (CouldNotAsk,), "xml"),
    Target("smp-service", as_it_came, _signed, (CouldNotAsk,), "xml"),
    Target("smp-service-signed", properly_signed, _services, (CouldNotAsk,), "xml"),
    Target("sml-record", record, _records, (CouldNotAsk,)),
    Target("sml-substitution", replacement, lambda: [b"!^.*$!https://smp.example/!", b"!.*!https://smp.example/a!i"], (CouldNotAsk,), tokens=(b"!", b"\\1", b"https://", b"[", b"@", b":")),
    Target("peppol-directory", named, _matches, (CouldNotAsk,), "json"),
    Target("nemhandelsregisteret-company", company, _companies, (CouldNotAsk,), "json"),
    Target("nemhandelsregisteret-receiver", receiver, _companies, (CouldNotAsk,), "json"),
)  # fmt: skip
