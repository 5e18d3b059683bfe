"""What Storecove posts to us: it signs nothing, and shows at most a secret."""

from __future__ import annotations

import base64
import json

import pytest

from invoiceapp.gateways.base import Incoming, Unreadable, Verdict
from invoiceapp.gateways.shared_secret import fingerprint
from invoiceapp.gateways.storecove import StorecoveTransport

GUID = "3f0c64ee-26fc-4d55-a0ac-e3ad4dd26c10"
SECRET = "hook-canary"


def message(event, **more):
    return json.dumps({"event_group": "document_submission", "event": event, "document_submission_guid": GUID, **more})


def read(content, authorization=None, **config):
    headers = {"content-type": "application/json"}
    if authorization:
        headers["authorization"] = fingerprint(authorization)
    transport = StorecoveTransport({"webhook_secret": SECRET, **config})
    incoming = Incoming("", content.encode(), headers)
    assert transport.reference_of(incoming) == GUID
    return transport.read(incoming, {})


def test_a_failure_under_the_secret_is_believed():
    found = read(message("failed"), SECRET)
    assert found.verdict is Verdict.REJECTED
    assert found.evidence["by"] == "provider"


def test_a_failure_under_user_and_password_is_believed():
    pair = base64.b64encode(f"firma:{SECRET}".encode()).decode()
    assert read(message("failed"), f"Basic {pair}", webhook_user="firma").verdict is Verdict.REJECTED


@pytest.mark.parametrize("shown", [None, "another", f"Bearer {SECRET}"])
def test_without_the_secret_it_is_only_a_hint(shown):
    assert read(message("failed"), shown).verdict is Verdict.HINT


def test_where_no_secret_was_agreed_on_everything_is_only_a_hint():
    assert read(message("failed"), "", webhook_secret="").verdict is Verdict.HINT


def test_of_a_success_the_evidence_is_asked_for():
    assert read(message("succeeded"), SECRET).verdict is Verdict.HINT


@pytest.mark.parametrize("event", ["no_action_taken", "brand_new_word"])
def test_other_words_are_no_delivery(event):
    found = read(message(event), SECRET)
    assert found.verdict is Verdict.ON_ITS_WAY
    assert "does not count as delivered" in found.text.en


def test_a_message_as_it_is_pulled_is_read_too():
    assert read(json.dumps({"guid": "of the message", "body": message("failed")}), SECRET).verdict is Verdict.REJECTED


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", message("received").replace("document_submission", "received_document")]
)
def test_other_messages_are_not_readable(content):
    with pytest.raises(Unreadable):
        StorecoveTransport({}).reference_of(Incoming("", content.encode(), {}))


def test_of_a_secret_only_a_fingerprint_is_kept():
    assert SECRET not in fingerprint(SECRET)
    assert SECRET not in str(read(message("failed"), SECRET).evidence)
