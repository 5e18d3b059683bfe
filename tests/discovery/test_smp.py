"""What an SMP says about a participant, and all the answers that are none."""

from __future__ import annotations

import gzip
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from support.outbound import LOOPBACK
from support.smp import (
    BIS,
    OIOUBL,
    WHO,
    der64,
    endpoint_xml,
    group_path,
    metadata,
    naptr,
    process_xml,
    redirect,
    service_group,
    service_path,
    sign,
)

from invoiceapp.discovery import client
from invoiceapp.discovery.base import CouldNotAsk, Register
from invoiceapp.discovery.client import Discovery
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import AS4_PROFILE, Identifier, Network
from invoiceapp.outbound.guard import Guard, networks

pytestmark = pytest.mark.server
BILLING = BIS.processes[0]


@pytest.fixture
def signed(pki, smp_holder, access_point):
    """``signed(*processes)``: as the SMP says it; without processes one that is in order."""

    def make(*processes, **options):
        usual = process_xml(BILLING, endpoint_xml(der64(access_point)))
        return sign(metadata(*(processes or (usual,)), **options), smp_holder, pki.intermediate.certificate)

    return make


def endpoint(discovery, service=BIS, network=Network.PEPPOL, who=WHO):
    return discovery.endpoint(network, who, service)


def could_not(discovery, ask=endpoint):
    with pytest.raises(CouldNotAsk) as caught:
        ask(discovery)
    return caught.value


def group(discovery):
    return discovery.registration(Network.PEPPOL, WHO)


# --- which documents


def test_the_documents_of_a_registration_are_listed(discovery, registered):
    body = service_group([str(BIS.document_id), "busdox-docid-qns::urn:x::Order##a::2.1"])
    registered.group(body)
    answer = group(discovery)
    (found,) = answer.found
    assert found.participant == WHO
    assert [offer.document_id for offer in found.offers] == [
        BIS.document_id,
        Identifier("busdox-docid-qns", "urn:x::Order##a::2.1"),
    ]
    assert registered.asked == ["/iso6523-actorid-upis%3A%3A0184%3A12345674"]
    assert [(one.asked.split()[0], one.outcome) for one in answer.exchanges] == [("NAPTR", "NOERROR"), ("GET", "200")]
    assert answer.exchanges[1].content == body


def test_an_smp_that_does_not_know_the_participant_says_not_registered(discovery, registered):
    answer = group(discovery)
    assert not answer.is_registered
    assert answer.exchanges[-1].outcome == "404"


def test_an_address_with_a_path_is_kept(discovery, name_server, smp):
    name_server.register(naptr(f"{smp.url}/smp/"))
    smp.put(f"/smp{group_path()}", service_group([]))
    assert group(discovery).is_registered


def test_participants_are_the_same_in_either_case(discovery, name_server, smp):
    who = Participant("9930", "DE123456789")
    name_server.register(naptr(smp.url), who=who)
    smp.group(service_group([], who="9930:de123456789"), who=who)
    assert discovery.registration(Network.PEPPOL, who).is_registered


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"<a/>",
        service_group([]).replace(b"ParticipantIdentifier", b"Other"),
        b"<!DOCTYPE a [<!ENTITY x 'y'>]>" + service_group([]),
        service_group([]).replace(b"<smp:ServiceMeta", b"<x Id='a'/><y Id='a'/><smp:ServiceMeta", 1),
        b"\xff\xfe\x00",
    ],
    ids=["empty", "broken", "other", "nobody", "entity", "duplicate-id", "binary"],
)
def test_an_answer_that_is_no_registration_proves_nothing(discovery, registered, body):
    registered.group(body)
    error = could_not(discovery, group)
    assert "cannot be read as the network prescribes" in error.text.en
    assert error.exchanges[-1].content == body


def test_an_answer_about_another_participant_proves_nothing(discovery, registered):
    registered.group(service_group([], who="0184:87654321"))
    assert "another receiver" in could_not(discovery, group).text.en


# --- where a document goes


def test_an_endpoint_in_order_is_found(discovery, registered, signed, access_point):
    registered.service(signed())
    found, answer = endpoint(discovery)
    assert (found.url, found.transport_profile) == ("https://ap.example/as4", AS4_PROFILE)
    assert (found.network, found.participant, found.document_id) == (Network.PEPPOL, WHO, BIS.document_id)
    assert found.process == Identifier("cenbii-procid-ubl", BILLING)
    assert found.certificate == access_point.pem
    assert (found.active_from, found.active_until) == (None, None)
    assert answer.register is Register.PEPPOL_SMP
    assert [(one.document_id, one.process) for one in answer.found[0].offers] == [(found.document_id, found.process)]
    assert answer.exchanges[-1].outcome == "200"
    assert registered.asked == [service_path()]
    assert "%23%23" in service_path()
    assert "#" not in service_path()


def test_a_document_type_that_the_smp_does_not_know_is_not_taken(discovery, registered):
    found, answer = endpoint(discovery)
    assert found is None
    assert not answer.is_registered
    assert answer.exchanges[-1].outcome == "404"


def test_whoever_is_not_in_the_address_book_takes_nothing(discovery, name_server, smp):
    found, answer = endpoint(discovery)
    assert found is None
    assert answer.exchanges[0].outcome == "NXDOMAIN"


def test_a_process_of_somebody_else_is_not_taken(discovery, registered, signed, access_point):
    registered.service(signed(process_xml("urn:other", endpoint_xml(der64(access_point)))))
    assert endpoint(discovery)[0] is None


def test_another_transport_profile_is_not_taken(discovery, registered, signed, access_point):
    other = endpoint_xml(der64(access_point), profile="busdox-transport-as2-ver2p0")
    registered.service(signed(process_xml(BILLING, other)))
    assert endpoint(discovery)[0] is None


def test_what_a_network_calls_as4_is_a_setting(make_settings, registered, signed, access_point):
    own = endpoint_xml(der64(access_point), profile="nemhandel-as4")
    registered.service(signed(process_xml(OIOUBL.processes[0], own), document=OIOUBL.document_id), OIOUBL)
    with Discovery(make_settings(), LOOPBACK) as usual:
        assert endpoint(usual, OIOUBL, Network.NEMHANDEL)[0] is None
    profiles = {Network.PEPPOL: AS4_PROFILE, Network.NEMHANDEL: "nemhandel-as4"}
    with Discovery(make_settings(profiles=profiles), LOOPBACK) as told:
        assert endpoint(told, OIOUBL, Network.NEMHANDEL)[0].transport_profile == "nemhandel-as4"


def test_our_first_process_is_taken_where_several_fit(discovery, registered, signed, access_point):
    second = process_xml(BIS.processes[1], endpoint_xml(der64(access_point), "https://ap.example/second"))
    first = process_xml(BILLING, endpoint_xml(der64(access_point), "https://ap.example/first"))
    registered.service(signed(second, first))
    assert endpoint(discovery)[0].url == "https://ap.example/first"


def test_nemhandels_way_of_writing_a_process_fits_and_is_kept(discovery, registered, signed, access_point):
    value = f"oioubl-procid-ubl::{OIOUBL.processes[0]}"
    body = signed(process_xml(value, endpoint_xml(der64(access_point))), document=OIOUBL.document_id)
    registered.service(body, OIOUBL)
    found, answer = endpoint(discovery, OIOUBL, Network.NEMHANDEL)
    assert found.process == Identifier("cenbii-procid-ubl", value)
    assert answer.register is Register.NEMHANDEL_SMP


def test_a_registration_holds_between_its_dates(discovery, registered, signed, access_point):
    ours = endpoint_xml(der64(access_point), start="2020-01-01T00:00:00Z", end="2999-01-01T00:00:00")
    registered.service(signed(process_xml(BILLING, ours)))
    found, _ = endpoint(discovery)
    assert found.active_from == datetime(2020, 1, 1, tzinfo=UTC)
    assert found.active_until == datetime(2999, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "dates", [{"end": "2021-01-01T00:00:00Z"}, {"start": "2999-01-01T00:00:00+01:00"}], ids=["expired", "to-come"]
)
def test_a_registration_outside_its_dates_proves_nothing(discovery, registered, signed, access_point, dates):
    registered.service(signed(process_xml(BILLING, endpoint_xml(der64(access_point), **dates))))
    assert "not for today" in could_not(discovery).text.en


def test_the_next_endpoint_is_taken_where_the_first_is_not_active(discovery, registered, signed, access_point):
    old = endpoint_xml(der64(access_point), "https://ap.example/old", end="2021-01-01T00:00:00Z")
    new = endpoint_xml(der64(access_point), "https://ap.example/new")
    registered.service(signed(process_xml(BILLING, old, new)))
    assert endpoint(discovery)[0].url == "https://ap.example/new"


def test_an_outdated_certificate_of_the_access_point_proves_nothing(discovery, registered, signed, pki):
    ended = datetime.now(UTC) - timedelta(days=1)
    holder = pki.holder("PDK000002", valid=(ended - timedelta(days=300), ended))
    registered.service(signed(process_xml(BILLING, endpoint_xml(der64(holder)))))
    assert "access point is not valid today" in could_not(discovery).text.en


def test_a_certificate_may_wear_its_armour(discovery, registered, signed, access_point):
    registered.service(signed(process_xml(BILLING, endpoint_xml(access_point.pem))))
    assert endpoint(discovery)[0].certificate == access_point.pem


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://ap.example/as4", "without encryption"),
        ("ftp://ap.example/as4", "cannot be read"),
        ("https://user:secret@ap.example/as4", "cannot be read"),
        ("https://", "cannot be read"),
        ("https://[half", "cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_an_address_to_which_nobody_sends_proves_nothing(discovery, registered, signed, access_point, url, words):
    registered.service(signed(process_xml(BILLING, endpoint_xml(der64(access_point), url))))
    assert words in could_not(discovery).text.en


@pytest.mark.parametrize("change", [("certificate", "AAAA"), ("certificate", "ø"), ("start", "i morgen")], ids=str)
def test_what_cannot_be_read_in_an_endpoint_proves_nothing(discovery, registered, signed, access_point, change):
    values = {"certificate": der64(access_point), **dict([change])}
    registered.service(signed(process_xml(BILLING, endpoint_xml(**values))))
    assert "cannot be read" in could_not(discovery).text.en


def test_metadata_about_another_participant_prove_nothing(discovery, registered, signed):
    registered.service(signed(who="0184:87654321"))
    assert "another receiver" in could_not(discovery).text.en


def test_metadata_about_another_document_prove_nothing(discovery, registered, signed):
    registered.service(signed(document=OIOUBL.document_id))
    assert "another kind of document" in could_not(discovery).text.en


def test_metadata_without_a_service_prove_nothing(discovery, registered, smp_holder, pki):
    nothing = redirect("https://smp.example", "x")
    for element in nothing[0]:
        nothing[0].remove(element)
    registered.service(sign(nothing, smp_holder, pki.intermediate.certificate))
    assert "cannot be read" in could_not(discovery).text.en


def test_another_document_than_metadata_proves_nothing(discovery, registered):
    registered.service(service_group([]))
    assert "cannot be read" in could_not(discovery).text.en


# --- redirects


@pytest.mark.parametrize("uid", ["PDK000001", "CN=PDK000001,O=Test,C=DK", "C=DK, O=Test, CN=PDK000001"])
def test_one_redirect_is_followed_to_the_smp_that_it_names(discovery, registered, signed, smp_holder, pki, uid):
    registered.put("/there", signed())
    first = redirect(f"{registered.url}/there", uid)
    registered.service(sign(first, smp_holder, pki.intermediate.certificate))
    found, answer = endpoint(discovery)
    assert found.url == "https://ap.example/as4"
    assert [one.outcome for one in answer.exchanges] == ["NOERROR", "200", "200"]


@pytest.mark.parametrize("uid", ["PDK000009", "CN=PDK000001,O=Other,C=DK", "", "CN=PDK000001,O=Test"])
def test_a_redirect_that_names_another_smp_proves_nothing(discovery, registered, signed, smp_holder, pki, uid):
    registered.put("/there", signed())
    registered.service(sign(redirect(f"{registered.url}/there", uid), smp_holder, pki.intermediate.certificate))
    error = could_not(discovery)
    assert "has moved" in error.text.en
    assert len(error.exchanges) == 3


@pytest.mark.parametrize("target", ["itself", "a ring", "nothing"])
def test_a_redirect_that_does_not_arrive_proves_nothing(discovery, registered, smp_holder, pki, target):
    def to(path):
        return sign(redirect(f"{registered.url}{path}", "PDK000001"), smp_holder, pki.intermediate.certificate)

    registered.service(to(service_path() if target == "itself" else "/there"))
    if target == "a ring":
        registered.put("/there", to(service_path()))
    assert "has moved" in could_not(discovery).text.en
    assert len(registered.asked) == (1 if target == "itself" else 2)


def test_a_redirect_without_encryption_is_not_followed(discovery, registered, smp_holder, pki):
    first = redirect(f"{registered.url.replace('https', 'http')}/there", "PDK000001")
    registered.service(sign(first, smp_holder, pki.intermediate.certificate))
    assert "(http)" in could_not(discovery).text.en
    assert len(registered.asked) == 1


def test_a_redirect_that_nobody_signed_is_not_followed(discovery, registered, signed):
    from lxml import etree

    registered.put("/there", signed())
    registered.service(etree.tostring(redirect(f"{registered.url}/there", "PDK000001")))
    assert "not signed" in could_not(discovery).text.en
    assert len(registered.asked) == 1


def test_a_redirect_of_http_is_not_followed(discovery, registered):
    registered.service(b"", status=302, Location="/there")
    assert "an error of its own" in could_not(discovery).text.en
    assert len(registered.asked) == 1


# --- the way there


@pytest.mark.parametrize("ask", [endpoint, group])
def test_a_private_address_is_not_asked(make_settings, name_server, registered, ask):
    name_server.register(naptr("https://10.0.0.7/"))
    with Discovery(make_settings(), LOOPBACK) as discovery:
        error = could_not(discovery, ask)
    assert "closed network" in error.text.en
    assert "OUTBOUND_NETWORKS" in error.text.da
    assert [one.outcome for one in error.exchanges] == ["NOERROR", "blocked-address"]


def test_a_redirect_to_a_private_address_is_not_followed(make_settings, registered, smp_holder, pki):
    first = redirect("https://192.168.1.1/there", "PDK000001")
    registered.service(sign(first, smp_holder, pki.intermediate.certificate))
    with Discovery(make_settings(), LOOPBACK) as discovery:
        assert "closed network" in could_not(discovery).text.en


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"Retry_After": "120"}, 120.0), ({"Retry_After": "soon"}, None), ({}, None)]
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_smp_says_when_to_ask_again(discovery, registered, status, headers, seconds):
    registered.group(b"", status=status, **headers)
    error = could_not(discovery, group)
    assert error.retry_after == seconds
    assert "busy" in error.text.en


def test_a_busy_smp_may_name_a_moment(discovery, registered):
    moment = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    registered.group(b"", status=429, Retry_After=moment)
    assert 500 < could_not(discovery, group).retry_after <= 600


@pytest.mark.parametrize("status", [204, 301, 400, 403, 500, 502])
def test_other_answers_prove_nothing(discovery, registered, status):
    registered.group(b"", status=status)
    error = could_not(discovery, group)
    assert error.exchanges[-1].outcome == str(status)


def test_a_silent_smp_proves_nothing(discovery, registered, monkeypatch):
    monkeypatch.setattr(client, "STEP", 0.3)
    registered.is_released.clear()
    error = could_not(discovery, group)
    assert "did not answer in time" in error.text.en
    assert error.exchanges[-1].outcome == "timeout"


@pytest.mark.parametrize(
    "answer",
    [(b" " * 1_000_001, {}), (gzip.compress(b" " * 50_000_000), {"Content_Encoding": "gzip"})],
    ids=["plain", "gzip"],
)
def test_an_answer_beyond_all_measure_is_not_read(discovery, registered, answer):
    body, headers = answer
    registered.group(body, **headers)
    error = could_not(discovery, group)
    assert "far more" in error.text.en
    assert error.exchanges[-1].outcome == "too-large"


def test_an_smp_that_cannot_show_who_it_is_proves_nothing(make_settings, registered):
    with Discovery(make_settings(ca=None), LOOPBACK) as discovery:
        assert "certificate does not hold" in could_not(discovery, group).text.en


def test_an_smp_that_is_not_there_proves_nothing(discovery, name_server):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        name_server.register(naptr(f"https://127.0.0.1:{bound.getsockname()[1]}"))
        error = could_not(discovery, group)
    assert "could not be reached" in error.text.en
    assert error.exchanges[-1].outcome == "closed"


def test_an_allowed_network_of_ones_own_is_asked(make_settings, registered):
    registered.group(service_group([]))
    with Discovery(make_settings(), Guard(networks(["127.0.0.1/32"]))) as discovery:
        assert group(discovery).is_registered
