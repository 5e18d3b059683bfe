"""The Peppol Directory: names to suggest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.outbound import LOOPBACK
from support.scripted import Scripted, response, scripted

from invoiceapp.discovery import directory
from invoiceapp.discovery.base import Answer, CouldNotAsk, Offer, Register
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Identifier, Network
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.http import HttpClient

pytestmark = pytest.mark.server

INVOICE = {"scheme": "busdox-docid-qns", "value": "urn:example:Invoice-2::Invoice##urn:example::2.1"}
MATCH: dict[str, Any] = {
    "participantID": {"scheme": "iso6523-actorid-upis", "value": "0184:90011138"},
    "docTypes": [INVOICE],
    "entities": [{"name": [{"name": "Lysning ApS", "language": "da"}, {"name": "Lysning Ltd"}], "countryCode": "DK"}],
}


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as running:
        yield running


def named(server: Scripted, name: str = "Lysning ApS", country: str | None = None) -> Answer:
    with HttpClient(LOOPBACK) as http:
        return directory.named(http, server.url, name, country, Deadline(5, 5))


def page(*matches: Any, **changes: Any) -> bytes:
    return response(json.dumps({"version": "1.0", "total-result-count": len(matches), "matches": matches, **changes}))


def test_a_match_is_a_participant_with_its_name_and_its_kinds_of_document(server):
    server.answer = page(MATCH)
    answer = named(server, "  Lysning   ApS ", "DK")
    assert server.path == "/search/1.0/json?name=Lysning+ApS&country=DK&resultPageCount=20"
    assert (answer.register, answer.question) == (Register.DIRECTORY, "Lysning ApS")
    [found] = answer.found
    assert (found.participant, found.name) == (Participant("0184", "90011138"), "Lysning ApS")
    assert (found.company, found.country) == ("90011138", "DK")
    assert found.offers == (Offer(Network.PEPPOL, Identifier(INVOICE["scheme"], INVOICE["value"])),)
    assert answer.exchanges[0].outcome == "200"


def test_what_is_left_out_where_it_is_empty_may_be_missing(server):
    server.answer = page({"participantID": {"scheme": "iso6523-actorid-upis", "value": "0007:5599990016"}})
    [found] = named(server).found
    assert (found.name, found.company, found.country, found.offers) == (None, None, None, ())


def test_a_name_may_be_one_text(server):
    server.answer = page(MATCH | {"entities": [{"name": "Lysning", "countryCode": "DK"}]})
    assert named(server).found[0].name == "Lysning"


def test_a_participant_of_another_scheme_is_passed_over(server):
    server.answer = page(MATCH | {"participantID": {"scheme": "unregistered", "value": "x"}}, MATCH)
    assert len(named(server).found) == 1


def test_nobody_of_that_name_is_an_empty_answer(server):
    server.answer = page()
    assert not named(server).is_registered


@pytest.mark.parametrize("name", ["", "AB", " A  "])
def test_a_name_that_is_too_short_is_not_asked_about(server, name):
    with pytest.raises(CouldNotAsk, match="three characters"):
        named(server, name)
    assert server.heads == []


@pytest.mark.parametrize(
    ("answer", "wait", "outcome"),
    [
        (response('"Too many"', 429, Retry_After="2"), 2.0, "429"),
        (response('"Bad query"', 400), None, "400"),
        (response('"Nothing here"', 404), None, "404"),
        (response("<html></html>"), None, "200"),
        (page(matches={"no": "list"}), None, "200"),
        (page("match"), None, "200"),
        (page({"participantID": {"scheme": "iso6523-actorid-upis"}}), None, "200"),
        (response("{}"), None, "200"),
        (b"", None, "cut"),
    ],
)
def test_everything_else_is_no_answer(server, answer, wait, outcome):
    server.answer = answer
    with pytest.raises(CouldNotAsk) as caught:
        named(server)
    assert caught.value.retry_after == wait and caught.value.exchanges[0].outcome == outcome
