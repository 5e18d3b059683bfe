"""Finding a participant's registration in DNS, with a real name server that fails in every way."""

from __future__ import annotations

import pytest
from dns import resolver as library
from dns.nameserver import Do53Nameserver
from support.outbound import LOOPBACK
from support.smp import WHO, ZONE, naptr, service_group

from invoiceapp.discovery import client, dns
from invoiceapp.discovery.base import CouldNotAsk, Register
from invoiceapp.discovery.client import Discovery
from invoiceapp.discovery.sml import name_of
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.outbound.guard import Guard

pytestmark = pytest.mark.server


def ask(discovery):
    return discovery.registration(Network.PEPPOL, WHO)


def could_not(discovery):
    with pytest.raises(CouldNotAsk) as caught:
        ask(discovery)
    return caught.value


@pytest.mark.parametrize(
    ("participant", "label"),
    [
        (Participant("0010", "5798000000001"), "XUKHFQABQZIKI3YKVR2FHR4SNFA3PF5VPQ6K4TONV3LMVSY5ARVQ"),
        (Participant("0088", "123abc"), "Y7DZFXAF3D4CJZ4KCGRXTEC6TWVCGA4KY7ZWA5BOIF6MSWD4TDRQ"),
        (Participant("0088", "123ABC"), "Y7DZFXAF3D4CJZ4KCGRXTEC6TWVCGA4KY7ZWA5BOIF6MSWD4TDRQ"),
    ],
)
def test_the_name_is_made_of_the_hash_as_the_specification_shows(participant, label):
    assert name_of(participant, "example.org") == f"{label}.iso6523-actorid-upis.example.org."


def test_no_such_name_is_not_registered_and_both_questions_are_kept(discovery, name_server, smp):
    answer = ask(discovery)
    assert not answer.is_registered
    assert (answer.register, answer.question) == (Register.PEPPOL_SMP, "0184:12345674")
    first, second = answer.exchanges
    assert (first.asked, first.outcome) == (f"NAPTR {name_of(WHO, ZONE)}", "NXDOMAIN")
    assert b"rcode NXDOMAIN" in first.content
    assert (second.asked, second.outcome) == (f"SOA {ZONE}.", "NOERROR")
    assert smp.asked == []


def test_a_name_without_records_is_not_registered(discovery, name_server):
    name_server.put(name_of(WHO, ZONE), "nothing")
    assert not ask(discovery).is_registered


def test_the_zone_is_asked_about_once(discovery, name_server):
    ask(discovery)
    ask(discovery)
    assert [asked for _, asked in name_server.resolver.asked].count(f"SOA {ZONE}.") == 1


def test_a_zone_that_does_not_exist_proves_nothing(discovery, name_server):
    name_server.put(ZONE, "NXDOMAIN")
    error = could_not(discovery)
    assert f"zonen {ZONE}" in error.text.da
    assert [one.outcome for one in error.exchanges] == ["NXDOMAIN", "NXDOMAIN"]


@pytest.mark.parametrize("failure", ["SERVFAIL", "REFUSED", "NOTIMP", "referral"])
def test_a_name_server_in_trouble_proves_nothing(discovery, name_server, failure):
    name_server.put(name_of(WHO, ZONE), failure)
    error = could_not(discovery)
    assert "name server could not say" in error.text.en
    assert len(error.exchanges) == 1


def test_trouble_with_the_question_about_the_zone_proves_nothing(discovery, name_server):
    name_server.put(ZONE, "SERVFAIL")
    assert "name server could not say" in could_not(discovery).text.en


def test_a_silent_name_server_proves_nothing(discovery, name_server, monkeypatch):
    monkeypatch.setattr(client, "STEP", 0.3)
    monkeypatch.setattr(dns, "TRY", 0.1)
    name_server.put(name_of(WHO, ZONE), "silence")
    error = could_not(discovery)
    assert "did not answer in time" in error.text.en
    assert [one.outcome for one in error.exchanges] == ["timeout"]


def test_the_second_name_server_is_asked_where_the_first_fails(make_settings, name_server, monkeypatch):
    monkeypatch.setattr(dns, "TRY", 0.2)
    closed = ("127.0.0.1", 9)
    settings = make_settings(name_servers=(closed, ("127.0.0.1", name_server.port)))
    with Discovery(settings, LOOPBACK) as discovery:
        assert not ask(discovery).is_registered


def test_a_name_server_in_a_closed_network_is_not_asked(make_settings, name_server):
    with Discovery(make_settings(), Guard()) as discovery:
        error = could_not(discovery)
    assert "127.0.0.1" in error.text.da
    assert "OUTBOUND_NETWORKS" in error.text.da
    assert name_server.resolver.asked == []


def test_a_cut_answer_is_asked_for_again_by_tcp(discovery, name_server, smp):
    others = [naptr(f"https://other{number}.example/{'x' * 60}", service="Meta:Other") for number in range(10)]
    name_server.register(*others, naptr(smp.url))
    smp.group(service_group([]))
    assert ask(discovery).is_registered
    assert [protocol for protocol, _ in name_server.resolver.asked] == ["udp", "tcp"]


def test_the_service_and_the_flag_are_read_in_either_case(discovery, name_server, smp):
    name_server.register(naptr(smp.url, flags="u", service="META:smp"))
    smp.group(service_group([]))
    assert ask(discovery).is_registered


def test_the_first_record_by_order_and_preference_counts(discovery, name_server, smp):
    smp.put("/a/iso6523-actorid-upis%3A%3A0184%3A12345674", service_group([]))
    name_server.register(
        naptr(f"{smp.url}/c", order=20, preference=1),
        naptr(f"{smp.url}/b", order=10, preference=20),
        naptr(f"{smp.url}/a/", order=10, preference=10),
    )
    assert ask(discovery).is_registered


def test_a_record_that_cannot_be_used_is_passed_over(discovery, name_server, smp):
    smp.group(service_group([]))
    name_server.register(naptr("http://127.0.0.1/", order=1), naptr(smp.url, order=2))
    assert ask(discovery).is_registered


def test_an_address_without_encryption_is_told_apart(discovery, name_server):
    name_server.register(naptr("http://smp.example"))
    error = could_not(discovery)
    assert "(http)" in error.text.da
    assert [one.outcome for one in error.exchanges] == ["NOERROR"]


@pytest.mark.parametrize(
    "record",
    [
        naptr("https://smp.example", service="Meta:Other"),
        naptr("https://smp.example", flags="S"),
        naptr("ftp://smp.example"),
        naptr("https://user@smp.example"),
        naptr("https://smp.example/?a=1"),
        naptr("https://smp.example/#a"),
        naptr("https:///path"),
        naptr("https://[half"),
        naptr("https://smp.example:99999"),
        naptr("https://smp .example"),
        naptr("!^(.*)$!https://\\1.example!"),
        naptr("!^0184.*$!https://smp.example!"),
        naptr("!^.*$!https://smp.example"),
        naptr(""),
    ],
    ids=lambda record: str(record),
)
def test_a_record_that_cannot_be_understood_proves_nothing(discovery, name_server, record):
    name_server.register(record)
    error = could_not(discovery)
    assert "cannot be understood" in error.text.en
    assert [one.outcome for one in error.exchanges] == ["NOERROR"]


def test_a_network_without_a_zone_is_not_asked(make_settings, name_server):
    with Discovery(make_settings(zones={}), LOOPBACK) as discovery:
        assert "not set up here" in could_not(discovery).text.en
    assert name_server.resolver.asked == []


def test_without_name_servers_of_its_own_this_machines_are_used(make_settings, name_server, smp, tmp_path, monkeypatch):
    there = library.Resolver(configure=False)
    there.nameservers = [Do53Nameserver("127.0.0.1", name_server.port)]
    monkeypatch.setattr(library, "Resolver", lambda: there)
    name_server.register(naptr("http://smp.example"))
    # The guard allows nothing, and is not asked about them.
    with Discovery(make_settings(name_servers=()), Guard()) as discovery:
        assert "(http)" in could_not(discovery).text.da


def test_a_machine_without_name_servers_says_so(make_settings, monkeypatch):
    def none():
        raise library.NoResolverConfiguration

    monkeypatch.setattr(library, "Resolver", none)
    with Discovery(make_settings(name_servers=()), LOOPBACK) as discovery:
        assert "no name server" in could_not(discovery).text.en
