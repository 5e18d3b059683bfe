"""What all providers share: the meaning of answers and words, and settings by which nothing may leave."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Text
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import (
    Consignment,
    Deadline,
    Incoming,
    Receipt,
    Refused,
    Rejected,
    Unavailable,
    Unknown,
    Unreadable,
    Verdict,
    registry,
)
from invoiceapp.gateways.providers import (
    ANSWER_HOURS,
    BUYER_REFUSES,
    BUYER_TAKES,
    ON_ITS_WAY,
    PASSED_ON,
    SYSTEM_TAKES,
    TOKEN,
    By,
    Notice,
    ProviderTransport,
    address_fields,
    as_reference,
    listed,
    members,
    told,
)
from invoiceapp.gateways.providers.answers import refusal
from invoiceapp.outbound.errors import OutboundError, Reason, Sent
from invoiceapp.outbound.http import Answer

SECRET = "S3CR3T-token-1"
PARTNER = Text("Udbyderen Prøve", "The provider Trial")


class Trial(ProviderTransport):
    """A provider that exists only here; what it answers is set by the test."""

    kind = "trial"
    label = Text("Prøve", "Trial")
    description = Text("Prøve", "Trial")
    partner = PARTNER
    urls = {"live": "https://api.trial.example/v1", "test": "https://test.trial.example/v1"}
    states = {"sent": PASSED_ON, "read": BUYER_TAKES, "no": BUYER_REFUSES, "working": ON_ITS_WAY, "in": SYSTEM_TAKES}
    fields = (*address_fields(urls), TOKEN, ANSWER_HOURS)
    replay = Replay.SAFE
    said: Answer | OutboundError = Answer(201, {}, b'{"id": "d-1"}')
    is_proved = False

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        return {"key": consignment.key}

    def access(self, deadline: Deadline) -> Text:
        return Text("Den virker.", "It works.")

    def submit(self, consignment: Consignment, deadline: Deadline) -> Receipt:
        answer = self.ask("POST", "/documents", deadline, content=consignment.payload.content, delivers=True)
        return self.taken(consignment, members(self.good(answer, delivers=True).body).get("id"), answer)

    def notice(self, incoming: Incoming) -> Notice:
        return Notice("d-1", incoming.content.decode(), "because")

    def is_signed(self, incoming: Incoming) -> bool:
        return self.is_proved


class Line:
    """In place of the HTTP client: keeps what is asked, and answers what the transport of the test has in ``said``."""

    def __init__(self, transport: Trial) -> None:
        self.transport, self.asked = transport, list[tuple[str, str, dict[str, str]]]()

    def request(self, method: str, url: str, deadline: Deadline, **options: Any) -> Answer:
        self.asked.append((method, url, options["headers"]))
        if isinstance(self.transport.said, OutboundError):
            raise self.transport.said
        return self.transport.said

    def close(self) -> None:
        pass


@pytest.fixture
def trial():
    def make(**config: Any) -> tuple[Trial, Line]:
        one = Trial({"token": SECRET, **config})
        line = Line(one)
        one._client = line  # type: ignore[assignment]
        return one, line

    return make


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, Unknown), (302, Refused), (400, Rejected), (401, Refused), (402, Refused), (403, Refused), (404, Refused),
        (405, Refused), (408, Unavailable), (409, Unknown), (413, Rejected), (422, Rejected), (425, Unavailable),
        (429, Unavailable), (500, Unknown), (501, Refused), (502, Unknown), (503, Unavailable), (504, Unknown),
        (507, Unavailable),
    ],
)  # fmt: skip
def test_each_status_after_a_document_is_one_of_the_four(status, error):
    found = refusal(Answer(status, {}, b""), PARTNER, [], delivers=True)
    assert type(found) is error
    assert "Udbyderen Prøve" in found.text.da
    assert "The provider Trial" in found.text.en


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422, 429, 500, 502, 503])
def test_no_answer_to_a_question_says_anything_of_a_document_or_pauses_the_gateway(status):
    assert type(refusal(Answer(status, {}, b""), PARTNER, [], delivers=False)) is Unavailable


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_accepted_pauses_the_gateway_whatever_was_asked(status):
    assert type(refusal(Answer(status, {}, b""), PARTNER, [], delivers=False)) is Refused


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_provider_is_asked_again_when_it_says(status):
    found = refusal(Answer(status, {"retry-after": "17"}, b""), PARTNER, [], delivers=True)
    assert isinstance(found, Unavailable) and found.retry_after == 17


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b'{"message": "Not valid.", "errors": {"document": ["No buyer", "No date"]}}',
            "Not valid.; No buyer; No date",
        ),
        (b'[{"source": "routing", "details": "no receiver"}]', "no receiver"),
        (b'{"errors": [{"context": "/Invoice/ID", "pattern": "x", "text": "F-INV001"}]}', "F-INV001"),
        (b'{"title": "Bad", "status": 400}', "Bad"),
        (b"<html><h1>Bad gateway</h1></html>", "Bad gateway"),
        (b"", ""),
    ],
)
def test_the_providers_own_reasons_are_quoted(body, words):
    found = refusal(Answer(422, {}, body), PARTNER, [], delivers=True)
    assert found.detail == f"422 {words}".strip()
    assert words in found.text.da and words in found.text.en


def test_reasons_that_repeat_the_access_key_are_quoted_without_it():
    found = refusal(
        Answer(422, {}, f'{{"message": "Bearer {SECRET} is odd"}}'.encode()), PARTNER, [SECRET], delivers=True
    )
    assert SECRET not in f"{found.text} {found.detail}" and "is odd" in found.detail


def test_an_endless_nest_of_reasons_is_not_followed():
    assert (
        told(json.loads("[" * 50 + '"deep"' + "]" * 50))
        == told({"errors": json.loads("[" * 50 + '"deep"' + "]" * 50)})
        == ""
    )
    assert (
        len(refusal(Answer(422, {}, b'{"errors": ["' + b"x" * 100_000 + b'"]}'), PARTNER, [], delivers=True).detail)
        < 250
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("01kmk-1", "01kmk-1"),
        (17, "17"),
        ("", None),
        (None, None),
        (True, None),
        ("a/../b", None),
        ("x" * 121, None),
        ("a b", None),
    ],
)
def test_only_what_can_stand_in_an_address_is_an_id(value, found):
    assert as_reference(value) == found


@pytest.mark.parametrize("content", [b"", b"no json", b"[" * 100_000, b"3", b"\xff"])
def test_what_is_no_json_is_nothing(content):
    assert members(content) == {} and listed(content) is None


def test_a_document_that_was_taken_is_not_a_document_that_arrived(trial, consignment):
    one, line = trial(answer_hours=12)
    receipt = one.send(consignment())
    assert (receipt.reference, receipt.proves_arrival, receipt.final, receipt.due) == (
        "d-1",
        False,
        False,
        timedelta(hours=12),
    )
    assert receipt.evidence["by"] == "provider"
    assert receipt.evidence["body_sha256"] == hashlib.sha256(b'{"id": "d-1"}').hexdigest()
    assert receipt.evidence["sha256"] == consignment().payload.sha256
    [(method, url, headers)] = line.asked
    assert (method, url, headers["Authorization"]) == (
        "POST",
        "https://api.trial.example/v1/documents",
        f"Bearer {SECRET}",
    )
    assert SECRET not in str(receipt)


@pytest.mark.parametrize("body", [b"{}", b'{"id": "../x"}', b"<html>wi-fi</html>"])
def test_a_yes_without_an_id_is_unknown(trial, consignment, body):
    one, _ = trial()
    one.said = Answer(200, {}, body)
    with pytest.raises(Unknown):
        one.send(consignment())


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OutboundError(Reason.CUT, sent=Sent.PART), Unavailable),
        (OutboundError(Reason.CUT, sent=Sent.ALL), Unknown),
        (OutboundError(Reason.TIMEOUT, sent=Sent.ALL), Unknown),
        (OutboundError(Reason.CERTIFICATE), Refused),
        (OutboundError(Reason.CUT, sent=Sent.ALL, status=201), Unknown),
        (OutboundError(Reason.CUT, sent=Sent.ALL, status=422), Unavailable),
        (OutboundError(Reason.CUT, sent=Sent.ALL, status=503), Unavailable),
    ],
)
def test_an_answer_that_came_not_whole_is_what_can_be_known_of_it(trial, consignment, error, kind):
    one, _ = trial()
    one.said = error
    with pytest.raises(kind) as caught:
        one.send(consignment())
    assert type(caught.value) is kind


def test_a_question_that_was_cut_off_delivered_nothing(trial):
    one, _ = trial()
    one.said = OutboundError(Reason.CUT, sent=Sent.ALL, status=200)
    with pytest.raises(Unavailable):
        one.ask("GET", "/x", one.deadline())


@pytest.mark.parametrize("error", [Refused, Rejected, Unavailable, Unknown])
def test_whatever_goes_wrong_in_a_search_is_that_the_provider_cannot_say(trial, consignment, monkeypatch, error):
    one, _ = trial()

    def fail(*_: Any) -> None:
        raise error(Text("Ak", "Oh"))

    monkeypatch.setattr(one, "search", fail)
    with pytest.raises(Unavailable):
        one.find(consignment())


@pytest.mark.parametrize("token", [None, "", "two words", "line\nbreak", "Bøøøg"])
def test_without_a_usable_access_key_nothing_leaves(trial, consignment, token):
    one, line = trial(token=token)
    with pytest.raises(Refused) as caught:
        one.send(consignment())
    assert line.asked == [] and (not token or token not in str(vars(caught.value)))


def test_white_space_around_a_pasted_key_does_no_harm(trial, consignment):
    one, line = trial(token=f" {SECRET}\n")
    one.send(consignment())
    assert line.asked[0][2]["Authorization"] == f"Bearer {SECRET}"


def test_the_key_goes_nowhere_without_encryption(trial, consignment):
    config = {"base_url": "http://api.trial.example"}
    one, line = trial(**config)
    with pytest.raises(Refused):
        one.send(consignment())
    assert line.asked == []
    assert set(Trial.problems(config, ["token"])) == {"base_url"}
    assert Trial.problems({"base_url": "https://api.trial.example"}, ["token"]) == {}


@pytest.mark.parametrize(
    ("config", "url", "host"),
    [
        ({}, "https://api.trial.example/v1", "api.trial.example"),
        ({"system": "test"}, "https://test.trial.example/v1", "test.trial.example"),
        ({"system": "test", "base_url": "https://127.0.0.1:8443/x/"}, "https://127.0.0.1:8443/x", "127.0.0.1"),
    ],
)
def test_the_address_is_what_was_typed_else_the_providers_own(trial, config, url, host):
    one, _ = trial(**config)
    assert (one.base_url, one.host) == (url, host)


def test_where_the_provider_has_one_system_there_is_no_choice():
    assert [field.name for field in address_fields({"live": "https://x.example"})] == ["base_url"]
    [own] = address_fields({})
    assert own.required and all(field.is_address for field in (own, *address_fields(Trial.urls)))


@pytest.mark.parametrize(
    ("word", "verdict", "by"),
    [
        ("Sent", Verdict.ARRIVED, By.NETWORK),
        ("IN", Verdict.ARRIVED, By.RECEIVER_SYSTEM),
        ("read", Verdict.ACKNOWLEDGED, By.BUYER),
        ("No", Verdict.REJECTED, By.BUYER),
        ("working", Verdict.ON_ITS_WAY, By.PROVIDER),
    ],
)
def test_a_network_that_takes_a_document_is_no_buyer_who_takes_it(trial, word, verdict, by):
    one, _ = trial()
    later = one.later("d-1", word, "no <b>order</b> number")
    assert (later.verdict, later.evidence["by"], later.evidence["word"]) == (verdict, by, word)
    assert later.text is not None and "“no order number”" in later.text.en
    assert one.meaning(word).verdict is verdict


@pytest.mark.parametrize("word", ["Delivered", "sentish", "", "Godkendt"])
def test_a_word_that_we_do_not_know_is_shown_and_never_a_delivery(trial, word):
    later = trial()[0].later("d-1", word)
    assert later.verdict is Verdict.ON_ITS_WAY and later.text is not None
    assert f"“{word}”" in later.text.en and "not count as delivered" in later.text.en


def test_an_unsigned_callback_is_a_hint_and_a_signed_one_what_it_says(trial):
    one, _ = trial()
    assert one.reference_of(Incoming("", b"sent")) == "d-1"
    assert one.read(Incoming("", b"sent"), {}).verdict is Verdict.HINT
    one.is_proved = True
    later = one.read(Incoming("", b"sent"), {})
    assert (later.verdict, later.evidence["signed"], later.evidence["said"]) == (Verdict.ARRIVED, True, "because")
    assert one.read(Incoming("", b""), {}).verdict is Verdict.HINT


def test_a_kind_without_callbacks_or_search_says_so(trial, consignment, monkeypatch):
    one, _ = trial()
    with pytest.raises(Unreadable):
        ProviderTransport.notice(one, Incoming("", b"{}"))
    with pytest.raises(Unavailable):
        one.find(consignment())


@pytest.mark.parametrize("kind", ["sproom", "ecourier"])
def test_the_danish_providers_reach_both_networks_and_look_the_receiver_up_themselves(kind):
    transport = registry()[kind]
    assert transport.networks == {Network.NEMHANDEL, Network.PEPPOL}
    assert transport.accepts == {"oioubl-2.1", "peppol-bis-3"}
    assert transport.polls and transport.receives and not transport.wants_endpoint
