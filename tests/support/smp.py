"""Registers of one's own: a name server and an SMP on this machine, and what an SMP says."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding
from dnslib import NAPTR, NS, QTYPE, RCODE, RR, SOA, DNSError
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from invoiceapp.discovery.sml import name_of
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import AS4_PROFILE, Network, service_for

from .pki import Holder

ZONE = "participants.test"
WHO = Participant("0184", "12345674")
BIS = service_for(Network.PEPPOL, "peppol-bis-3", DocumentType.INVOICE)
OIOUBL = service_for(Network.NEMHANDEL, "oioubl-2.1", DocumentType.INVOICE)
SMP_NS = "http://busdox.org/serviceMetadata/publishing/1.0/"
IDS_NS = "http://busdox.org/transport/identifiers/1.0/"


class _Resolver(BaseResolver):
    """Answers what a test has put under a name: records, a code, ``silence``, ``referral``, ``nothing``."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.asked: list[tuple[str, str]] = []

    def resolve(self, request: Any, handler: Any) -> Any:
        name, kind = str(request.q.qname).lower(), QTYPE[request.q.qtype]
        self.asked.append((handler.protocol, f"{kind} {name}"))
        reply, found = request.reply(), self.names.get(name, "NXDOMAIN")
        if found == "silence":
            # The only error that dnslib's handler swallows: nothing is sent.
            raise DNSError(found)
        if found == "referral":
            reply.add_auth(RR(ZONE, QTYPE.NS, rdata=NS("elsewhere.test")))
        elif found == "nothing":
            reply.add_auth(RR(ZONE, QTYPE.SOA, rdata=SOA("ns.test", "hostmaster.test")))
        elif isinstance(found, str):
            reply.header.rcode = getattr(RCODE, found)
        else:
            for record in found:
                reply.add_answer(RR(name, QTYPE.NAPTR, rdata=record))
        if handler.protocol == "udp" and len(reply.pack()) > 512:
            # dnslib's own way of cutting leaves the question out, which no real server does.
            reply = request.reply()
            reply.header.tc = 1
        return reply


@dataclass
class NameServer:
    """By UDP and TCP; answers by UDP are cut at 512 bytes."""

    port: int = 0
    resolver: _Resolver = field(default_factory=_Resolver)

    def put(self, name: str, what: Any) -> None:
        self.resolver.names[f"{name.strip('.').lower()}."] = what

    def register(self, *records: Any, who: Participant = WHO) -> None:
        self.put(name_of(who, ZONE), list(records))

    @contextmanager
    def running(self) -> Iterator[NameServer]:
        self.port = _free_port()
        quiet = DNSLogger(log="-recv,-send,-request,-reply,-truncated,-error")
        servers = [
            DNSServer(self.resolver, "127.0.0.1", self.port, tcp, quiet, DNSHandler).server for tcp in (False, True)
        ]
        with _serving(*servers):
            yield self


@contextmanager
def _serving(*servers: Any) -> Iterator[None]:
    threads = [threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True) for one in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join(5)


def naptr(url: str, order: int = 100, preference: int = 10, flags: str = "U", service: str = "Meta:SMP") -> NAPTR:
    """``url``: also a whole expression, where it starts with ``!``."""
    expression = url if url.startswith("!") or not url else f"!^.*$!{url}!"
    return NAPTR(order, preference, flags.encode(), service.encode(), expression.encode())


def _free_port() -> int:
    """Free for UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@dataclass
class Smp:
    """An https server with pages."""

    port: int = 0
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_released: threading.Event = field(default_factory=threading.Event)
    """Cleared: answers are kept back"""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def put(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        self.pages[path] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)

    def group(self, body: bytes, who: Participant = WHO, **options: Any) -> None:
        self.put(group_path(who), body, **options)

    def service(self, body: bytes, service: Any = BIS, who: Participant = WHO, **options: Any) -> None:
        self.put(service_path(service, who), body, **options)

    @contextmanager
    def running(self, context: ssl.SSLContext) -> Iterator[Smp]:
        server = _SmpServer(("127.0.0.1", 0), _SmpHandler)
        server.smp = self
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = server.server_port
        with _serving(server):
            yield self


class _SmpServer(ThreadingHTTPServer):
    daemon_threads = True
    smp: Smp

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is what some tests are about."""


class _SmpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _SmpServer

    def do_GET(self) -> None:
        smp = self.server.smp
        smp.asked.append(self.path)
        smp.is_released.wait(10)
        status, headers, body = smp.pages.get(self.path, (404, {}, b"not here"))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def group_path(who: Participant = WHO) -> str:
    return "/" + quote(f"iso6523-actorid-upis::{who}", safe="")


def service_path(service: Any = BIS, who: Participant = WHO) -> str:
    return f"{group_path(who)}/services/{quote(str(service.document_id), safe='')}"


def service_group(documents: list[str], who: Any = WHO, base: str = "https://smp.example") -> bytes:
    path = f"{base}/{quote(f'iso6523-actorid-upis::{who}', safe='')}/services/"
    references = "".join(f'<smp:ServiceMetadataReference href="{path}{quote(one, safe="")}"/>' for one in documents)
    return (
        f'<smp:ServiceGroup xmlns:smp="{SMP_NS}" xmlns:id="{IDS_NS}">'
        f'<id:ParticipantIdentifier scheme="iso6523-actorid-upis">{who}</id:ParticipantIdentifier>'
        f"<smp:ServiceMetadataReferenceCollection>{references}</smp:ServiceMetadataReferenceCollection>"
        "</smp:ServiceGroup>"
    ).encode()


def endpoint_xml(
    certificate: str, url: str = "https://ap.example/as4", profile: str = AS4_PROFILE, start: str | None = None,
    end: str | None = None,
) -> str:  # fmt: skip
    dates = f"<smp:ServiceActivationDate>{start}</smp:ServiceActivationDate>" if start else ""
    dates += f"<smp:ServiceExpirationDate>{end}</smp:ServiceExpirationDate>" if end else ""
    return (
        f'<smp:Endpoint transportProfile="{profile}"><wsa:EndpointReference><wsa:Address>{url}</wsa:Address>'
        "</wsa:EndpointReference><smp:RequireBusinessLevelSignature>false</smp:RequireBusinessLevelSignature>"
        f"{dates}<smp:Certificate>{certificate}</smp:Certificate>"
        "<smp:ServiceDescription>x</smp:ServiceDescription><smp:TechnicalContactUrl>x</smp:TechnicalContactUrl>"
        "</smp:Endpoint>"
    )


def process_xml(value: str, *endpoints: str, scheme: str = "cenbii-procid-ubl") -> str:
    return (
        f'<smp:Process><id:ProcessIdentifier scheme="{scheme}">{value}</id:ProcessIdentifier>'
        f"<smp:ServiceEndpointList>{''.join(endpoints)}</smp:ServiceEndpointList></smp:Process>"
    )


def metadata(*processes: str, who: Any = WHO, document: Any = BIS.document_id) -> Any:
    """SignedServiceMetadata, not signed yet."""
    return _signed_root(
        '<smp:ServiceInformation><id:ParticipantIdentifier scheme="iso6523-actorid-upis">'
        f'{who}</id:ParticipantIdentifier><id:DocumentIdentifier scheme="{document.scheme}">{document.value}'
        f"</id:DocumentIdentifier><smp:ProcessList>{''.join(processes)}</smp:ProcessList></smp:ServiceInformation>"
    )


def redirect(url: str, uid: str) -> Any:
    return _signed_root(f'<smp:Redirect href="{url}"><smp:CertificateUID>{uid}</smp:CertificateUID></smp:Redirect>')


def _signed_root(inside: str) -> Any:
    return etree.fromstring(
        f'<smp:SignedServiceMetadata xmlns:smp="{SMP_NS}" xmlns:id="{IDS_NS}" '
        'xmlns:wsa="http://www.w3.org/2005/08/addressing">'
        f"<smp:ServiceMetadata>{inside}</smp:ServiceMetadata></smp:SignedServiceMetadata>"
    )


def sign(
    root: Any, holder: Holder, *more: Any, method: Any = SignatureMethod.RSA_SHA256,
    digest: Any = DigestAlgorithm.SHA256, c14n: Any = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    signer: type[XMLSigner] = XMLSigner,
) -> bytes:  # fmt: skip
    """``more``: certificates besides the signer's."""
    made = signer(SignatureConstructionMethod.enveloped, method, digest, c14n)
    signed = made.sign(root, key=holder.key, cert=[holder.certificate, *more], always_add_key_value=False)
    return etree.tostring(signed, xml_declaration=True, encoding="UTF-8")


def der64(holder: Holder) -> str:
    return base64.b64encode(holder.certificate.public_bytes(Encoding.DER)).decode()
