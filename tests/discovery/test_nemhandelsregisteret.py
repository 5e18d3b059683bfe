"""NemHandelsregisteret's answers in both spellings, and everything that is no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.outbound import LOOPBACK
from support.scripted import Scripted, response, scripted

from invoiceapp.discovery import nemhandelsregisteret
from invoiceapp.discovery.base import Answer, CouldNotAsk, Offer, Register
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.http import HttpClient

pytestmark = pytest.mark.server

CVR = "90004107"
GLN = Participant("0088", "5798990001118")
OIOUBL, BILLING = "Procurement-BilSim-1.0", "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"


@pytest.fixture
def register() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


def company(register: Scripted, cvr: str = CVR, seconds: float = 5) -> Answer:
    with HttpClient(LOOPBACK) as http:
        return nemhandelsregisteret.company(http, register.url + "/nemhandel-api/", cvr, Deadline(seconds, seconds))


def receiver(register: Scripted, participant: Participant = GLN) -> Answer:
    with HttpClient(LOOPBACK) as http:
        return nemhandelsregisteret.receiver(http, register.url, participant, Deadline(5, 5))


def older(network: Any = 4, role: str = "Customer", profile: str = OIOUBL) -> dict[str, Any]:
    return {"NetworkTypeId": network, "role": {"name": role}, "profile": {"name": profile}}


def newer(network: Any = 4, role: str = "Customer", profile: str = OIOUBL) -> dict[str, Any]:
    return {"NetworkTypeId": network, "Role": {"Name": role}, "Profile": {"Name": profile}}


def participant(*bindings: Any, key: str = GLN.value, kind: str = "GLN", **more: Any) -> dict[str, Any]:
    return {
        "Key": key, "KeyType": kind, "UnitName": "Fjordby Skole", "UnitCVR": CVR, "lastModifiedString": "01-10-2026",
        "ParticipantBindings": list(bindings), **more,
    }  # fmt: skip


def firm(*participants: Any, **changes: Any) -> str:
    return json.dumps(
        {
            "cvrNummer": CVR, "virksomhedsForm": "Kommune", "binavne": [], "virksomhedsNavnFormel": "Fjordby Kommune",
            "adresse": {"vejnavn": "Torvet", "postnummer": "4990", "landekode": "DK"},
            "modtagere": [{"participant": one} for one in participants] or None, "kontaktperson": None,
            "status": "NORMAL", **changes,
        }
    )  # fmt: skip


def offers(answer: Answer) -> list[tuple[str, str | None]]:
    return [(offer.network.value, offer.profile) for one in answer.found for offer in one.offers]


def refused(register: Scripted, body: bytes | None, ask: Any = company) -> CouldNotAsk:
    register.answer = body
    with pytest.raises(CouldNotAsk) as caught:
        ask(register)
    assert caught.value.text.da and caught.value.text.en
    return caught.value


@pytest.mark.parametrize("binding", [older, newer])
def test_both_spellings_tell_networks_and_profiles(register, binding):
    register.answer = response(firm(participant(binding(), binding(3, profile=BILLING))))
    answer = company(register)
    assert register.path == f"/nemhandel-api/search/lookup/{CVR}"
    assert (answer.register, answer.question) == (Register.NEMHANDELSREGISTERET, CVR)
    [found] = answer.found
    assert (found.participant, found.name, found.company, found.country) == (GLN, "Fjordby Skole", CVR, "DK")
    assert found.offers == (Offer(Network.NEMHANDEL, profile=OIOUBL), Offer(Network.PEPPOL, profile=BILLING))
    assert answer.company_name == "Fjordby Kommune"
    [exchange] = answer.exchanges
    assert exchange.outcome == "200" and exchange.at == answer.asked_at and json.loads(exchange.content)


def test_flags_stand_for_networks_where_no_number_does(register):
    binding = {"Profile": "Peppol BIS3 Billing", "Role": "Customer"}
    register.answer = response(firm(participant(binding, IsPeppolEnabled=True, IsNhAs4Enabled=False)))
    assert offers(company(register)) == [("peppol", "Peppol BIS3 Billing")]
    register.answer = response(firm(participant(binding | {"IsPeppolEnabled": True, "IsNhAs4Enabled": True})))
    assert [network for network, _ in offers(company(register))] == ["peppol", "nemhandel"]
    register.answer = response(firm(participant(newer(3) | {"IsPeppolEnabled": False})))
    assert offers(company(register)) == []


def test_profiles_may_stand_in_the_participant_itself(register):
    entry = participant() | {"Profile": [newer(), newer(3, profile=BILLING)]}
    del entry["ParticipantBindings"]
    register.answer = response(firm(entry))
    assert offers(company(register)) == [("nemhandel", OIOUBL), ("peppol", BILLING)]


def test_only_who_takes_documents_as_a_buyer_counts(register):
    register.answer = response(firm(participant(older(role="Supplier"), older(3, "customer", BILLING))))
    assert offers(company(register)) == [("peppol", BILLING)]


def test_the_network_that_is_shut_down_is_passed_over_even_without_sense(register):
    register.answer = response(firm(participant({"NetworkTypeId": 1}, older("4"))))
    assert offers(company(register)) == [("nemhandel", OIOUBL)]


def test_the_network_may_stand_in_the_owner_of_the_service(register):
    binding = older() | {"OwnerService": {"NetworkTypeId": 3}}
    del binding["NetworkTypeId"]
    register.answer = response(firm(participant(binding)))
    assert offers(company(register)) == [("peppol", OIOUBL)]


def test_the_same_profile_twice_is_one_offer(register):
    register.answer = response(firm(participant(older(), older())))
    assert offers(company(register)) == [("nemhandel", OIOUBL)]


@pytest.mark.parametrize(
    ("kind", "key", "expected"),
    [
        ("GLN", "5798990001118", "0088:5798990001118"),
        ("DK:CVR", "DK90004107", "0184:90004107"),
        ("DK:P", "1099999912", "0096:1099999912"),
        ("DK:SE", "90033344", "0198:DK90033344"),
        ("DK:SE", "DK90033344", "0198:DK90033344"),
    ],
)
def test_kinds_of_key_become_schemes(register, kind, key, expected):
    register.answer = response(firm(participant(older(), key=key, kind=kind)))
    assert [str(one.participant) for one in company(register).found] == [expected]


def test_a_key_of_another_kind_is_passed_over_beside_a_known_one(register):
    register.answer = response(firm(participant(older(), kind="DK:VANS"), participant(older())))
    assert [one.participant for one in company(register).found] == [GLN]


@pytest.mark.parametrize("nobody", [None, []])
def test_a_company_without_participants_is_not_registered_but_has_a_name(register, nobody):
    register.answer = response(firm(modtagere=nobody))
    answer = company(register)
    assert not answer.is_registered and answer.company_name == "Fjordby Kommune" and answer.exchanges


@pytest.mark.parametrize("body", ["<h1>Not Found</h1>", "", '{"status": 404, "error": "Not Found"}'])
def test_a_404_proves_nothing_as_an_address_that_has_moved_answers_so_too(register, body):
    error = refused(register, response(body, 404))
    assert "vi ikke kender" in error.text.da and error.exchanges[0].outcome == "404"
    assert refused(register, response("", 404), receiver)


def test_a_receiver_is_asked_by_its_whole_identifier(register):
    register.answer = response(firm(participant(older())))
    assert [one.participant for one in receiver(register).found] == [GLN]
    assert register.path == "/search/networkLookup?receiverId=0088%3A5798990001118"


@pytest.mark.parametrize("wrap", [lambda one: [one], lambda one: one, lambda one: {"Participant": one}])
def test_a_receiver_may_come_without_its_company(register, wrap):
    register.answer = response(json.dumps(wrap(participant(older()))))
    [found] = receiver(register).found
    assert (found.participant, found.company, found.country) == (GLN, CVR, None)


@pytest.mark.parametrize("body", ['{"modtagere": null}', '{"Modtagere": []}', "[]"])
def test_a_receiver_that_is_not_registered_is_an_empty_list(register, body):
    register.answer = response(body)
    answer = receiver(register)
    assert not answer.is_registered and answer.question == str(GLN)


def test_an_answer_about_somebody_else_proves_nothing(register):
    other = response(firm(participant(older(), key="5798990001125")))
    assert "another participant" in refused(register, other, receiver).detail
    assert "another company" in refused(register, response(firm(cvrNummer="90003739"))).detail


@pytest.mark.parametrize(
    "body",
    [
        "<html>Vedligehold</html>", '{"cvrNummer": "90004107", "modtag', "", "null", "17", '"nej"', "[" * 200_000,
        json.dumps({"cvrNummer": CVR}),
        firm(modtagere={"antal": 0}),
        firm(modtagere="ingen"),
        firm("participant"),
        firm({"Key": GLN.value}),
        firm({"Key": GLN.value, "KeyType": "GLN"}),
        firm(participant(key="")),
        firm(participant(kind="DK:VANS")),
        firm(participant("binding")),
        firm(participant({"Role": {"Name": "Customer"}, "Profile": {"Name": OIOUBL}})),
        firm(participant({"NetworkTypeId": 4, "Profile": {"Name": OIOUBL}})),
        firm(participant({"NetworkTypeId": 4, "Role": {"Name": "Customer"}})),
        firm(participant(older("fire"))),
    ],
    ids=range(20),
)  # fmt: skip
def test_an_answer_that_does_not_fit_proves_nothing(register, body):
    error = refused(register, response(body))
    assert "svarer på en måde, vi ikke kender" in error.text.da
    assert error.exchanges[0].outcome == "200" and error.retry_after is None


@pytest.mark.parametrize(
    ("status", "wait"), [(429, "7"), (503, "30"), (500, None), (502, None), (403, None), (302, None)]
)
def test_a_register_that_refuses_proves_nothing_and_its_wish_is_kept(register, status, wait):
    headers = {"Retry_After": wait} if wait else {}
    error = refused(register, response("{}", status, **headers))
    assert error.retry_after == (float(wait) if wait else None)
    assert error.exchanges[0].outcome == str(status)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"220 mail ready\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + firm().encode(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
    ],
    ids=["cut", "garbled", "half a body", "half a head"],
)
def test_a_broken_conversation_proves_nothing(register, answer):
    error = refused(register, answer)
    assert len(error.exchanges) == 1 and error.exchanges[0].content == b""


def test_silence_proves_nothing(register):
    error = refused(register, None, lambda server: company(server, seconds=0.2))
    assert error.exchanges[0].outcome == "timeout"


def test_a_register_that_is_not_there_proves_nothing(register):
    register.close()
    assert refused(register, None).exchanges[0].outcome == "closed"


def test_an_endless_answer_proves_nothing(register, monkeypatch):
    monkeypatch.setattr("invoiceapp.discovery.rest.LARGEST_ANSWER", 100)
    assert refused(register, response(firm())).exchanges[0].outcome == "too-large"
