"""AS4 with phase4 (Java, Maven Central), and registrations that its sister peppol-commons writes and signs.

phase4-peppol-servlet is not on Maven Central in any version of these years; ``phase4/`` stands on phase4's own servlet
handler and its Peppol profile, of which it is a thin layer.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import zipfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from support import smp
from support.as4_peers import AccessPoint, Tamperer
from support.fault_proxy import Fault, FaultProxy, Harm, Way, always
from support.fetching import FETCHED, one_at_a_time
from support.pki import Pki, make_pki
from support.responses import invoice_response

from invoiceapp.discovery.base import CouldNotAsk
from invoiceapp.discovery.smp import Publisher
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import Network, service_for
from invoiceapp.gateways.base import Consignment, Rejected, Transport, Unavailable, Unknown

pytestmark = pytest.mark.server

HERE = Path(__file__).with_name("phase4")
POM = HERE / "pom.xml"
#: With the version of what is in it, so that a change of the project fetches anew.
JARS = FETCHED / f"phase4-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
#: Quick to start: a peer lives for seconds.
OPTIONS = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dphase4.manager.inmemory=true"]
#: All that WS-Security has against a message phase4 calls a failed decryption.
WSS_FAILURE = "EBMS:0102"
QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


SBDH = "{http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader}"


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The class path of our peer and of phase4, which is fetched where it is not there."""
    if not shutil.which("javac") or not shutil.which("mvn"):
        pytest.skip("needs Maven and a JDK")
    with one_at_a_time():
        if not JARS.is_dir():
            fresh = JARS.with_name(f"{JARS.name}.new")
            command = ["mvn", "--batch-mode", "--quiet", "-f", POM, COPY, f"-DoutputDirectory={fresh}"]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
            fresh.rename(JARS)
    compiled = tmp_path_factory.mktemp("phase4-classes")
    sources = sorted(HERE.glob("src/main/java/peer/*.java"))
    subprocess.run(["javac", "-d", compiled, "-cp", f"{JARS}/*", *sources], check=True)
    return f"{compiled}:{JARS}/*"


@pytest.fixture(scope="session")
def phase4(classes: str, access_points: Callable[..., AccessPoint]) -> AccessPoint:
    return access_points("POP000002", "java", *OPTIONS, QUIET, "-cp", classes, "peer.Peer")


@pytest.fixture
def in_mood(phase4: AccessPoint) -> Iterator[Callable[[str], None]]:
    """What phase4 answers to a flawless message in this test."""
    yield lambda mood: phase4.do("mood", mood=mood)
    phase4.do("mood", mood="WILLING")


def test_it_arrives_and_the_signed_receipt_proves_it(phase4, as4_transport, as4_consignment):
    consignment = as4_consignment(phase4)
    with as4_transport() as ours:
        ids = ours.wire_ids(consignment)
        receipt = ours.send(consignment)
    facts, envelope = phase4.taken(receipt.reference)
    assert receipt.proves_arrival
    assert receipt.evidence["receipt_id"].endswith("@phase4")
    assert consignment.payload.content.partition(b"?>")[2].strip() in envelope
    assert facts == {
        "message_id": ids["message_id"],
        "instance_id": ids["sbdh_instance"],
        "from": "POP000001",
        "to": "POP000002",
        "service": consignment.endpoint.process.value,
        "service_type": consignment.endpoint.process.scheme,
        "action": str(consignment.endpoint.document_id),
        "document": str(consignment.endpoint.document_id),
        "process": str(consignment.endpoint.process),
        "sender": "iso6523-actorid-upis::0184:12345674",
        "receiver": "iso6523-actorid-upis::0088:5798009811578",
        "country": "DK",
    }


def _through(line: FaultProxy, consignment: Consignment) -> Consignment:
    """The same by a line that breaks."""
    endpoint = consignment.endpoint
    assert endpoint is not None
    return replace(consignment, endpoint=replace(endpoint, url=f"http://127.0.0.1:{line.port}/as4"))


def test_a_repetition_after_a_lost_answer_was_delivered_earlier(phase4, as4_transport, as4_consignment):
    """phase4 4.4 has no code of its own for that; EBMS:4001 came with 4.5."""
    consignment = as4_consignment(phase4)
    with as4_transport() as ours:
        with FaultProxy(phase4.port, always(Fault(Harm.CUT, 1, Way.DOWN))) as line, pytest.raises(Unknown):
            ours.send(_through(line, consignment))
        receipt = ours.send(replace(consignment, may_have_arrived=True))
    assert phase4.taken(receipt.reference)
    assert not receipt.proves_arrival
    assert receipt.evidence["delivered"] == "earlier"


@pytest.mark.parametrize("after_lost_answer", [True, False])
def test_the_code_of_phase4_4_5_for_a_repetition_is_understood(
    phase4, as4_transport, as4_consignment, in_mood, after_lost_answer
):
    """The number and its words are put in by us, the signal is made and signed by phase4."""
    in_mood("REPEATED")
    consignment = replace(as4_consignment(phase4), may_have_arrived=after_lost_answer)
    with as4_transport() as ours:
        if after_lost_answer:
            assert ours.send(consignment).evidence["delivered"] == "earlier"
        else:
            with pytest.raises(Unknown, match="EBMS:4001") as caught:
                ours.send(consignment)
            assert caught.value.needs_person


def test_phase4_calls_a_repetition_also_what_it_refused(phase4, as4_transport, as4_consignment, in_mood):
    """It remembers a MessageId before it looks at the document: without a lost answer a repetition proves nothing."""
    consignment = as4_consignment(phase4)
    in_mood("NOT_SERVICED")
    with as4_transport() as ours:
        with pytest.raises(Rejected, match="NOT_SERVICED"):
            ours.send(consignment)
        in_mood("WILLING")
        with pytest.raises(Unknown, match="duplicate") as caught:
            ours.send(consignment)
    assert caught.value.needs_person
    assert phase4.taken(ours.wire_ids(consignment)["message_id"]) is None


def test_a_connection_that_breaks_halfway_delivers_nothing_and_the_next_try_does(
    phase4, as4_transport, as4_consignment
):
    consignment = as4_consignment(phase4)
    with as4_transport() as ours:
        with FaultProxy(phase4.port, always(Fault(Harm.CUT, 3_000))) as line, pytest.raises((Unknown, Unavailable)):
            ours.send(_through(line, consignment))
        assert phase4.taken(ours.wire_ids(consignment)["message_id"]) is None
        receipt = ours.send(replace(consignment, may_have_arrived=True))
    assert "receipt_id" in receipt.evidence


def test_an_access_point_that_is_not_there_is_unavailable(phase4, as4_transport, as4_consignment):
    with socket.socket() as closed, as4_transport() as ours, pytest.raises(Unavailable):
        closed.bind(("127.0.0.1", 0))
        ours.send(as4_consignment(phase4, url=f"http://127.0.0.1:{closed.getsockname()[1]}/as4"))


def test_another_certificate_than_the_access_points_is_told_from_it(phase4, as4_transport, as4_consignment, pki):
    """As after a change of certificate that the register does not know yet."""
    consignment = as4_consignment(phase4, certificate=pki.issue("POP000009")[0])
    with as4_transport() as ours, pytest.raises(Unavailable, match=WSS_FAILURE):
        ours.send(consignment)


def test_a_sender_whom_phase4_does_not_trust_is_told_so(phase4, as4_transport, as4_consignment):
    stranger = make_pki("Somebody else").holder("POP000001")
    changes = {"own_certificate": stranger.pem, "own_key": stranger.key_pem}
    with as4_transport(**changes) as ours, pytest.raises(Unavailable, match=WSS_FAILURE):
        ours.send(as4_consignment(phase4))


@pytest.mark.parametrize(
    "spot",
    [
        (b"application/octet-stream", 300),
        (b"</eb:ConversationId>", -21),
        (b"</xenc:CipherValue>", -50),
        (b"</ds:SignatureValue>", -50),
    ],
    ids=["document", "header", "key", "signature"],
)
def test_an_octet_that_changes_on_the_way_is_noticed(phase4, as4_transport, as4_consignment, spot):
    with Tamperer(phase4, request=spot) as line, as4_transport() as ours:
        consignment = as4_consignment(phase4, url=line.url)
        with pytest.raises(Unavailable, match=WSS_FAILURE):
            ours.send(consignment)
    assert phase4.taken(ours.wire_ids(consignment)["message_id"]) is None


def test_an_answer_without_as4_proves_nothing(phase4, as4_transport, as4_consignment):
    """phase4 answers HTTP 204 to what is no XML at all."""
    with (
        Tamperer(phase4, request=(b"</eb:ConversationId>", -20)) as line,
        as4_transport() as ours,
        pytest.raises(Unknown),
    ):
        ours.send(as4_consignment(phase4, url=line.url))


@pytest.mark.parametrize("marker", [b":RefToMessageId>", b"<ds:DigestValue>", b"<ds:SignatureValue>"], ids=bytes.decode)
def test_an_octet_that_changes_in_the_receipt_is_noticed(phase4, as4_transport, as4_consignment, marker):
    with Tamperer(phase4, answer=(marker, 5)) as line, as4_transport() as ours, pytest.raises(Unknown):
        ours.send(as4_consignment(phase4, url=line.url))


@pytest.fixture
def at_nemhandel(as4_transport: Callable[..., Transport], pki: Pki) -> Transport:
    """Our access point with a certificate that names the company."""
    holder = pki.holder("Nordlys fakturering", organization_identifier="NTRDK-12345674")
    return as4_transport(Network.NEMHANDEL, own_certificate=holder.pem, own_key=holder.key_pem)


def test_a_signed_document_of_nemhandel_arrives_too(phase4, at_nemhandel, as4_consignment):
    consignment = as4_consignment(phase4, Network.NEMHANDEL)
    with at_nemhandel as ours:
        receipt = ours.send(consignment)
    facts, envelope = phase4.taken(receipt.reference)
    assert "receipt_id" in receipt.evidence
    assert consignment.payload.content.partition(b"?>")[2].strip() in envelope
    assert (facts["from"], facts["document"]) == ("12345674", str(consignment.endpoint.document_id))
    assert facts["process"] == str(consignment.endpoint.process)


def test_the_jdk_verifies_the_signature_in_nemhandels_container(phase4, at_nemhandel, as4_consignment, tmp_path):
    with at_nemhandel as ours:
        receipt = ours.send(as4_consignment(phase4, Network.NEMHANDEL))
    root = etree.fromstring(phase4.taken(receipt.reference)[1])
    (scope,) = root.findall(f".//{SBDH}Scope[{SBDH}Type='NEMHANDEL_EDELIVERY_SIGNATURE']")
    container = tmp_path / "signed.asice"
    container.write_bytes(b64decode(scope.findtext(f"{SBDH}InstanceIdentifier")))
    details = {"container": str(container), "certificate": ours.config["own_certificate"]}
    assert phase4.do("container", **details) == {"good": True, "references": 4}
    with zipfile.ZipFile(container) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["transfer-delegation.xml"] = files["transfer-delegation.xml"].replace(b"12345674", b"12345675")
    with zipfile.ZipFile(container, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert not phase4.do("container", **details)["good"]


def test_a_response_of_phase4_gets_in_once(phase4, as4_mailbox, as4_command, canonical, tmp_path):
    (tmp_path / "response.xml").write_bytes(invoice_response("AP", sender_name="Lillestræde Skole"))
    command = as4_command(as4_mailbox.url, "response@test", tmp_path / "response.xml")
    first, second = (phase4.do("send", **command) for _ in range(2))
    assert first["receipt"] and first["references"] == "ours"
    assert [error["code"] for error in second["errors"]] == ["EBMS:4001"]
    (document,) = as4_mailbox.stored.values()
    assert canonical(document.content) == canonical((tmp_path / "response.xml").read_bytes())


def test_phase4_understands_that_we_take_no_invoices(phase4, as4_mailbox, as4_command):
    answer = phase4.do("send", **as4_command(as4_mailbox.url, "invoice@test"))
    assert not answer["receipt"] and answer["signed"]
    assert [error["code"] for error in answer["errors"]] == ["EBMS:0004"]
    assert answer["errors"][0]["detail"].startswith("PEPPOL:NOT_SERVICED")
    assert not as4_mailbox.stored


def test_phase4_understands_that_it_has_our_certificate_wrong(phase4, as4_mailbox, as4_command, pki):
    command = as4_command(as4_mailbox.url, "wrong@test") | {"certificate": pki.issue("POP000009")[0]}
    answer = phase4.do("send", **command)
    assert answer["result"] == "AS4_ERROR_MESSAGE_RECEIVED"
    assert [error["code"] for error in answer["errors"]] == ["EBMS:0102"]
    assert not as4_mailbox.stored


PARTICIPANT = Participant("0088", "5798009811578")
SERVICE = service_for(Network.PEPPOL, "peppol-bis-3", DocumentType.INVOICE)


@pytest.fixture
def registration(phase4: AccessPoint, tmp_path: Path) -> bytes:
    """A SignedServiceMetadata as an SMP gives it out."""
    phase4.do(
        "publish",
        into=str(tmp_path / "answer.xml"),
        participant=f"iso6523-actorid-upis::{PARTICIPANT}",
        document_id=str(SERVICE.document_id),
        process=f"cenbii-procid-ubl::{SERVICE.processes[0]}",
        url="https://ap.example/as4",
        certificate=phase4.identity.pem,
    )
    return (tmp_path / "answer.xml").read_bytes()


def _looked_up(answer: bytes, anchors: str) -> Any:
    asking = SimpleNamespace(
        get=lambda url, most: SimpleNamespace(status=200, body=answer), now=lambda: datetime.now(UTC)
    )
    return Publisher("https://smp.example", Network.PEPPOL, PARTICIPANT, anchors).endpoint(SERVICE, asking)


def test_a_registration_that_peppol_commons_wrote_is_believed(phase4, registration, pki):
    found = _looked_up(registration, pki.root_pem + pki.intermediate_pem)
    assert (found.url, found.certificate) == ("https://ap.example/as4", phase4.identity.pem)
    assert str(found.process) == f"cenbii-procid-ubl::{SERVICE.processes[0]}"


def test_a_tampered_registration_is_believed_by_neither(phase4, registration, pki, tmp_path):
    tampered = registration.replace(b"https://ap.example/as4", b"https://ap.evil.example/as4")
    assert tampered != registration
    with pytest.raises(CouldNotAsk, match="signature"):
        _looked_up(tampered, pki.root_pem + pki.intermediate_pem)
    verdicts = []
    for name, content in (("good", registration), ("tampered", tampered)):
        (tmp_path / name).write_bytes(content)
        verdicts.append(phase4.do("check", answer=str(tmp_path / name))["good"])
    assert verdicts == [True, False]


def test_a_registration_signed_under_other_roots_is_not_believed(registration):
    with pytest.raises(CouldNotAsk, match="signer"):
        _looked_up(registration, make_pki("Somebody else").root_pem)


@pytest.mark.parametrize("form", ["EXCLUSIVE_XML_CANONICALIZATION_1_0", "CANONICAL_XML_1_0"])
def test_peppol_commons_believes_what_signxml_signs(phase4, pki, tmp_path, form):
    """As the registers of the demo do, and of the other tests."""
    process = smp.process_xml(SERVICE.processes[0], smp.endpoint_xml(smp.der64(pki.holder("POP000004"))))
    chain = pki.holder("SMP"), pki.intermediate.certificate
    answer = tmp_path / "answer.xml"
    answer.write_bytes(smp.sign(smp.metadata(process), *chain, c14n=CanonicalizationMethod[form]))
    assert phase4.do("check", answer=str(answer))["good"]
