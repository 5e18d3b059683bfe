"""The registers as their clients use them: DNS, https, signatures, JSON."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from urllib.parse import quote

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.exceptions import InvalidSignature
from signxml.verifier import XMLVerifier
from support.outbound import LOOPBACK

from invoiceapp.demo.billy import customers
from invoiceapp.demo.networks.ports import Ports
from invoiceapp.demo.networks.serve import serve_networks
from invoiceapp.demo.networks.sml import name_of
from invoiceapp.demo.networks.switches import Trouble
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import AS4_PROFILE, Network, service_for
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError, Reason
from invoiceapp.outbound.http import HttpClient
from invoiceapp.outbound.tls import client_context

pytestmark = pytest.mark.server

N, P = Network.NEMHANDEL, Network.PEPPOL
CONTACTS = {one["contactNo"]: one for one in customers.contacts()}
BOTH, OIOUBL_ONLY = (Participant("0088", CONTACTS[number]["ean"]) for number in ("O14", "O01"))
OIOUBL = service_for(N, "oioubl-2.1", DocumentType.INVOICE).document_id
BIS = service_for(P, "peppol-bis-3", DocumentType.INVOICE).document_id
NS = {"s": "http://busdox.org/serviceMetadata/publishing/1.0/", "wsa": "http://www.w3.org/2005/08/addressing"}


def naptr(registers, name, kind="NAPTR", ask=dns.query.udp, timeout=2):
    return ask(dns.message.make_query(name, kind), "127.0.0.1", timeout=timeout, port=registers.dns_port)


def get(registers, url, seconds=5):
    with HttpClient(LOOPBACK, client_context(ca=registers.pki.root)) as http:
        return http.request("GET", url, Deadline(seconds, seconds))


def group(registers, network, participant):
    return get(registers, f"{registers.smp_urls[network]}/{quote(f'iso6523-actorid-upis::{participant}', safe='')}")


def metadata(registers, network, participant, document_id):
    path = f"{quote(f'iso6523-actorid-upis::{participant}', safe='')}/services/{quote(str(document_id), safe='')}"
    return get(registers, f"{registers.smp_urls[network]}/{path}")


def verified(registers, content):
    """What the SMP has signed."""
    root = etree.fromstring(content)
    signer = XMLVerifier().verify(root, x509_cert=registers.pki.smp.certificate)
    return signer.signed_xml


def lookup(registers, number):
    return get(registers, f"{registers.register_url}/search/lookup/{CONTACTS[number]['registrationNo']}")


def test_a_participant_has_a_name_in_each_of_its_networks(network_registers):
    for network in (N, P):
        for ask in (dns.query.udp, dns.query.tcp):
            answer = naptr(network_registers, name_of(BOTH, network), ask=ask)
            [record] = answer.answer[0]
            assert (record.flags, record.service) == (b"U", b"Meta:SMP")
            assert record.regexp.decode() == f"!^.*$!{network_registers.smp_urls[network]}!"
    assert naptr(network_registers, name_of(OIOUBL_ONLY, P)).rcode() == dns.rcode.NXDOMAIN


def test_names_are_made_as_the_policy_says():
    assert name_of(Participant("0010", "5798000000001"), P).split(".")[:2] == [
        "XUKHFQABQZIKI3YKVR2FHR4SNFA3PF5VPQ6K4TONV3LMVSY5ARVQ", "iso6523-actorid-upis"
    ]  # fmt: skip
    assert name_of(Participant("0088", "123ABC"), P).startswith("Y7DZFXAF3D4CJZ4KCGRXTEC6TWVCGA4KY7ZWA5BOIF6MSWD4TDRQ.")


def test_upper_and_lower_case_are_the_same_name(network_registers):
    answer = naptr(network_registers, name_of(BOTH, P).upper())
    assert answer.rcode() == dns.rcode.NOERROR and answer.answer


def test_the_zone_is_there_and_others_are_refused(network_registers):
    assert naptr(network_registers, network_registers.zones[P], "SOA").answer
    assert naptr(network_registers, name_of(BOTH, P), "A").answer == []
    assert naptr(network_registers, "example.com").rcode() == dns.rcode.REFUSED


def test_a_group_lists_what_its_network_carries_and_leads_there(network_registers):
    for network, expected in ((N, OIOUBL), (P, BIS)):
        found = etree.fromstring(group(network_registers, network, BOTH).body)
        [first, second] = found.findall(".//s:ServiceMetadataReference", NS)
        assert first.get("href").endswith("/services/" + quote(str(expected), safe=""))
        assert get(network_registers, second.get("href")).status == 200


def test_metadata_names_endpoint_certificate_and_processes_and_is_signed(network_registers):
    answer = metadata(network_registers, N, BOTH, OIOUBL)
    found = verified(network_registers, answer.body)
    assert found.findtext(".//{*}ParticipantIdentifier") == str(BOTH)
    assert found.findtext(".//{*}DocumentIdentifier") == OIOUBL.value
    endpoint = found.find(".//s:Endpoint", NS)
    assert endpoint.get("transportProfile") == AS4_PROFILE
    assert endpoint.findtext("wsa:EndpointReference/wsa:Address", None, NS) == network_registers.population.endpoint_url
    certificate = x509.load_der_x509_certificate(base64.b64decode(endpoint.findtext("s:Certificate", None, NS)))
    assert certificate.public_bytes(Encoding.PEM).decode() == network_registers.pki.nemhandel.certificate
    processes = [(one.get("scheme"), one.text) for one in found.iter("{*}ProcessIdentifier")]
    assert processes == [
        ("cenbii-procid-ubl", "oioubl-procid-ubl::urn:www.nesubl.eu:profiles:profile5:ver2.0"),
        ("oioubl-procid-ubl", "Procurement-BilSim-1.0"),
    ]
    with pytest.raises(InvalidSignature):
        verified(network_registers, answer.body.replace(b"access-point", b"other-point"))


def test_the_endpoint_can_be_plugged_in(network_registers):
    network_registers.population.endpoint_url = "https://127.0.0.1:1/as4"
    found = verified(network_registers, metadata(network_registers, P, BOTH, BIS).body)
    assert found.findtext(".//wsa:Address", None, NS) == "https://127.0.0.1:1/as4"


def test_what_is_not_registered_is_not_found(network_registers):
    assert group(network_registers, P, OIOUBL_ONLY).status == 404
    assert metadata(network_registers, N, BOTH, BIS).status == 404
    assert group(network_registers, P, "0088:5798990001101").status == 404


def test_registrations_that_are_out_of_order(network_registers):
    ended = verified(network_registers, metadata(network_registers, N, gln("O24"), OIOUBL).body)
    assert ended.findtext(".//s:ServiceExpirationDate", None, NS).startswith("2025-01-01")
    old = verified(network_registers, metadata(network_registers, P, gln("K08"), BIS).body)
    certificate = old.findtext(".//s:Certificate", None, NS)
    assert certificate in "".join(network_registers.pki.ended.split())
    assert group(network_registers, N, gln("O25")).status == lookup(network_registers, "O25").status == 500


def test_a_participant_that_moved_is_one_redirect_away(network_registers):
    participant = f"0184:{CONTACTS['V16']['registrationNo']}"
    redirect = verified(network_registers, metadata(network_registers, P, participant, BIS).body).find(
        ".//s:Redirect", NS
    )
    assert "CN=PSM000001" in redirect.findtext("s:CertificateUID", None, NS)
    moved = verified(network_registers, get(network_registers, redirect.get("href")).body)
    assert moved.find(".//s:Endpoint", NS) is not None


def gln(number):
    return f"0088:{CONTACTS[number]['ean']}"


def test_the_register_spells_as_it_did_before_and_as_it_does_now(network_registers):
    [new] = json.loads(lookup(network_registers, "O01").body)["modtagere"]
    assert new["participant"]["IsNhAs4Enabled"] and not new["participant"]["IsPeppolEnabled"]
    [binding] = new["participant"]["ParticipantBindings"]
    assert binding["Profile"] == {"Name": "urn:www.nesubl.eu:profiles:profile5:ver2.0"}
    network_registers.switches.register.is_older = True
    [old] = json.loads(lookup(network_registers, "O01").body)["modtagere"]
    assert old["participant"]["ParticipantBindings"][0]["role"] == {"name": "Customer"}
    assert "IsNhAs4Enabled" not in old["participant"]


def test_the_register_knows_companies_without_participants_and_not_everybody(network_registers):
    found = json.loads(lookup(network_registers, "V14").body)
    assert (found["virksomhedsNavnFormel"], found["modtagere"]) == (CONTACTS["V14"]["name"], None)
    assert get(network_registers, f"{network_registers.register_url}/search/lookup/12345674").status == 404


def test_the_register_knows_a_receiver_or_nobody(network_registers):
    url = f"{network_registers.register_url}/search/networkLookup?receiverId="
    [one] = json.loads(get(network_registers, url + quote(str(BOTH), safe="")).body)["modtagere"]
    assert [one["NetworkTypeId"] for one in one["participant"]["ParticipantBindings"]] == [4, 3]
    assert json.loads(get(network_registers, url + "0088%3A5798990001101").body) == {"modtagere": []}


def test_the_directory_finds_by_name_who_lets_himself_be_found(network_registers):
    url = f"{network_registers.directory_url}/search/1.0/json?name="
    [match] = json.loads(get(network_registers, url + quote("malmö papper")).body)["matches"]
    assert match["participantID"] == {"scheme": "iso6523-actorid-upis", "value": "0007:5599990024"}
    assert match["docTypes"] and match["entities"][0]["countryCode"] == "SE"
    assert json.loads(get(network_registers, url + "revisor").body)["total-result-count"] == 0
    assert json.loads(get(network_registers, url + "Fjordby+Kommune").body)["matches"] == []
    assert get(network_registers, url + "ab").status == 400
    by_page = json.loads(get(network_registers, url + "aps&resultPageCount=3&resultPageIndex=1").body)
    assert by_page["used-result-count"] == 3 and by_page["first-result-index"] == 3 < by_page["total-result-count"]


@pytest.mark.parametrize(
    ("trouble", "status", "code"), [(Trouble.DOWN, 503, "SERVFAIL"), (Trouble.BUSY, 429, "REFUSED")]
)
def test_every_register_can_be_out_of_order(network_registers, trouble, status, code):
    for switch in network_registers.switches.all():
        switch.trouble = trouble
    answers = [
        group(network_registers, N, BOTH), group(network_registers, P, BOTH), lookup(network_registers, "O01"),
        get(network_registers, f"{network_registers.directory_url}/search/1.0/json?name=abc"),
    ]  # fmt: skip
    assert {one.status for one in answers} == {status}
    assert {one.headers.get("retry-after") for one in answers} == {"2" if trouble is Trouble.BUSY else None}
    assert naptr(network_registers, name_of(BOTH, P)).rcode() == dns.rcode.from_text(code)


def test_one_register_can_be_silent_while_the_others_answer(network_registers):
    network_registers.switches.register.trouble = Trouble.SLOW
    with pytest.raises(OutboundError) as caught:
        get(network_registers, f"{network_registers.register_url}/search/lookup/90004107", seconds=0.2)
    assert caught.value.reason is Reason.TIMEOUT
    assert group(network_registers, N, BOTH).status == 200
    network_registers.switches.sml.trouble = Trouble.SLOW
    with pytest.raises(dns.exception.Timeout):
        naptr(network_registers, name_of(BOTH, P), timeout=0.2)


def test_each_question_is_noted(network_registers):
    lookup(network_registers, "O01")
    assert list(network_registers.switches.register.asked) == ["/nemhandel-api/search/lookup/90003739"]


def test_a_client_that_says_nothing_keeps_nobody_waiting(network_registers):
    port = int(network_registers.register_url.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        assert lookup(network_registers, "O01").status == 200


def test_whoever_does_not_trust_the_demo_gets_no_answer(network_registers):
    with HttpClient(LOOPBACK, ssl.create_default_context()) as http, pytest.raises(OutboundError) as caught:
        http.request("GET", network_registers.directory_url, Deadline(5, 5))
    assert caught.value.reason is Reason.CERTIFICATE


def test_wanted_ports_are_kept_and_taken_ones_replaced(network_registers, tmp_path):
    with serve_networks(tmp_path, Ports(sml=network_registers.dns_port)) as other:
        assert other.dns_port != network_registers.dns_port
        wanted = other.dns_port
    with serve_networks(tmp_path, Ports(sml=wanted)) as again:
        assert (again.dns_port, again.pki) == (wanted, other.pki)
