"""Who said what: the network's word and the buyer's word are different words on the page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask_babel import force_locale

from invoiceapp.blueprints.documents import voices
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Receipt, Rendition, db
from invoiceapp.services.export import events, queries

S = DeliveryState
WORDS = {"da": "Rabatten mangler.", "en": "The discount is missing."}


@pytest.fixture
def shown(signed_in: Any, make_customer: Any, make_document: Any, make_delivery: Any) -> Any:
    """``shown(state, *(kind, data), error=None)``: the page of a delivery with these events."""

    def look(state: DeliveryState, *story: tuple[str, dict[str, str]], **columns: Any) -> str:
        row = make_delivery(make_document(make_customer("Fjordby Kommune"), "1001"), state, next_at=None, **columns)
        for kind, data in story:
            events.of_delivery(kind, row, **data)
        db.session.commit()
        return str(signed_in.get(f"/documents/{row.document_id}").get_data(as_text=True))

    return look


@pytest.fixture
def words_of(app: Any, make_customer: Any, make_document: Any, make_delivery: Any) -> Any:
    """``words_of(state, *(kind, data))``: what explains the state."""

    def look(state: DeliveryState, *story: tuple[str, dict[str, str]]) -> str:
        row = make_delivery(make_document(make_customer("Fjordby Kommune"), "1001"), state, next_at=None)
        for kind, data in story:
            events.of_delivery(kind, row, **data)
        db.session.commit()
        with app.test_request_context(headers={"Accept-Language": "en"}), force_locale("en"):
            return voices.standing_words(queries.story(row.document))

    return look


def _titles(html: str) -> list[str]:
    return [title.replace("&#39;", "'") for title in re.findall(r'timeline-head">\s*<strong>([^<]+)', html)]


def _standing(html: str) -> str:
    found = re.search(r"<span data-standing>(.*?)</span>", html)
    return found[1].replace("&#39;", "'") if found else ""


def voice(says: str, by: str) -> dict[str, str]:
    return {"says": says, "by": by, "who": "Fjordby Kommune", **WORDS}


_TOLD = [
    ("accepted", {"by": "network"}, "Handed over to the network"),
    ("accepted", {}, "Handed over"),
    ("delivered", {"by": "network"}, "Received by the network"),
    ("delivered", {}, "Received"),
    ("delivered", voice("received", "network"), "Received by the network"),
    ("delivered", voice("received", "receiver_system"), "Received by the buyer's system"),
    ("said", voice("passed_on", "network"), "Passed on by the network"),
    ("rejected", voice("not_delivered", "network"), "Rejected by the network"),
    ("rejected", voice("not_delivered", "receiver_system"), "Rejected by the buyer's system"),
    ("rejected", voice("wrong_profile", "receiver_system"), "Rejected by the buyer's system"),
    ("said", voice("in_process", "buyer"), "Being processed by the buyer"),
    ("said", voice("under_query", "buyer"), "The buyer asks for an answer"),
    ("said", voice("conditional", "buyer"), "Accepted by the buyer on conditions"),
    ("rejected", voice("rejected", "buyer"), "Rejected by the buyer"),
    ("late_receipt", voice("rejected", "buyer"), "Rejected by the buyer"),
    ("acknowledged", voice("accepted", "buyer"), "Acknowledged: accepted by the buyer"),
    ("acknowledged", voice("paid", "buyer"), "Paid, the buyer says"),
    ("acknowledged", voice("partly_paid", "buyer"), "Partly paid, the buyer says"),
    ("said", voice("unclear", "receiver_system"), "An answer that we do not know"),
    ("said", WORDS, "News about the sending"),
    ("late_receipt", WORDS, "The receiver's answer came late"),
]


def test_each_word_has_its_own_title_and_says_who_and_why(shown):
    html = shown(S.ACCEPTED, *((kind, data) for kind, data, _title in _TOLD))
    assert _titles(html)[: len(_TOLD)] == [title for _kind, _data, title in _TOLD]
    assert html.count("Fjordby Kommune</div>") == sum("who" in data for _kind, data, _title in _TOLD)
    assert html.count(f"<div>{WORDS['en']}</div>") == sum("en" in data for _kind, data, _title in _TOLD)


@pytest.mark.parametrize(
    ("state", "kind", "data", "words"),
    [
        (S.ACCEPTED, "accepted", {"by": "network"}, "The network has accepted it and passes it on."),
        (S.DELIVERED, "delivered", {"by": "network"}, "The network says that it has arrived. That is not a yes"),
        (S.DELIVERED, "delivered", voice("received", "receiver_system"), "The buyer's system has received it."),
        (S.ACKNOWLEDGED, "acknowledged", voice("accepted", "buyer"), "The buyer has accepted it."),
        (S.REJECTED, "rejected", voice("rejected", "buyer"), "The buyer has it and says no."),
        (S.REJECTED, "rejected", voice("not_delivered", "network"), "The buyer does not have it."),
        (S.REJECTED, "rejected", voice("not_delivered", "receiver_system"), "The buyer's system has rejected it."),
    ],
)
def test_the_state_says_what_it_means(words_of, state, kind, data, words):
    assert words in words_of(state, (kind, data))


@pytest.mark.parametrize("state", [S.ACCEPTED, S.DELIVERED, S.ACKNOWLEDGED])
def test_a_state_that_nobody_of_a_network_has_told_stands_alone(words_of, state):
    assert words_of(state, (state.value, {})) == ""


def test_what_the_buyers_system_says_goes_before_what_the_network_said(shown):
    html = shown(S.DELIVERED, ("delivered", {"by": "network"}), ("late_receipt", voice("received", "receiver_system")))
    assert "The buyer's system has received it." in _standing(html)


@pytest.mark.parametrize("says", ["under_query", "conditional"])
def test_what_waits_for_an_answer_of_ours_is_seen_until_the_buyer_goes_on(shown, says):
    asked = ("said", voice(says, "buyer"))
    alert = "The buyer waits for an answer from you"
    assert alert in shown(S.DELIVERED, asked)
    assert alert in shown(S.DELIVERED, asked, ("late_receipt", voice("in_process", "buyer")))
    assert alert not in shown(S.ACKNOWLEDGED, asked, ("acknowledged", voice("accepted", "buyer")))
    assert alert not in shown(S.DELIVERED, ("said", voice("in_process", "buyer")))


@pytest.mark.parametrize(
    ("by", "headline"),
    [("buyer", "The buyer says no"), ("network", "Not delivered"), (None, "The last attempt did not succeed")],
)
def test_a_rejection_is_headed_by_who_rejects(shown, by, headline):
    error = {"class": "Rejected", **WORDS, **({"by": by} if by else {})}
    html = shown(S.REJECTED, error=error)
    assert headline in html and WORDS["en"] in html


@pytest.mark.parametrize(
    ("data", "words"), [({"by": "network"}, "the buyer sends an answer"), ({}, "the receiver answers with a receipt")]
)  # fmt: skip
def test_what_is_still_to_come_is_called_as_in_lists_and_says_whose_word_it_is(shown, data, words):
    html = shown(S.DELIVERED, ("delivered", data))
    assert _titles(html)[-1] == "Acknowledged" and words in html


def test_the_evidence_of_an_answer_is_in_words(signed_in, make_customer, make_document, make_delivery):
    document = make_document(make_customer("Fjordby Kommune"), "1001")
    rendition = Rendition(
        subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3", sha256="0" * 64, size=1,
        media_type="application/xml", filename="invoice-1001.xml", rule_sets=[], missing_rule_sets=[], findings=[],
    )  # fmt: skip
    db.session.add(rendition)
    db.session.flush()
    row = make_delivery(document, S.REJECTED, rendition_id=rendition.id)
    evidence = {
        "response": "invoice_response", "said_by": "buyer", "code": "RE", "verdict": "on its way", "reasons": [{"code": "PRI", **WORDS}],
        "lines": [{"place": "/Invoice/ID", "code": "BV", **WORDS}],
    }  # fmt: skip
    db.session.add(Receipt(delivery_id=row.id, kind="invoice_response", reference="R-1", evidence=evidence))
    db.session.commit()
    html = str(signed_in.get(f"/documents/{document.id}").text)
    facts = dict(re.findall(r'<dt class="datagrid-title">(.*?)</dt>\s*<dd class="datagrid-content">(.*?)</dd>', html))
    assert facts["Who answered"] == "The buyer" and facts["Code of the answer"] == "RE"
    assert facts["Kind of answer"] == "Peppol Invoice Response"
    assert facts["Outcome"] == "No final answer yet"
    assert facts["Reasons"] == WORDS["en"]
    assert facts["Said of single places"] == f"/Invoice/ID: {WORDS['en']}"


@pytest.mark.parametrize(("by", "has_link"), [("network", True), ("receiver_system", False), ("buyer", False)])
def test_what_the_network_refused_leads_to_how_the_customer_can_be_reached(shown, by, has_link):
    html = shown(S.REJECTED, error={**WORDS, "class": "Rejected", "detail": "", "by": by})
    assert ('id="see-match" href="/network/customers/' in html) is has_link
