"""Sproom's webhooks: believed where its signature proves them, a hint where nothing does, nothing where it is wrong."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from invoiceapp.gateways.base import Incoming, Unreadable, Verdict
from invoiceapp.gateways.sproom import SproomTransport
from invoiceapp.gateways.sproom.callbacks import public_key

pytestmark = pytest.mark.server

DOCUMENT = "6d25b2c1-a7cf-4d10-a835-ad19863f67ff"


def pem_of(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def posted(sproom: Any, word: str = "transmissionCompleted", **headers: str) -> Incoming:
    content, given = sproom.webhook(DOCUMENT, word)
    return Incoming("", content, given | headers)


def test_a_signed_webhook_says_what_it_says(sproom, opened):
    transport = opened(webhook_key=sproom.public_key)
    incoming = posted(sproom)
    assert transport.reference_of(incoming) == DOCUMENT
    later = transport.read(incoming, {})
    assert (later.verdict, later.evidence["by"], later.evidence["signed"]) == (Verdict.ARRIVED, "network", True)


def test_a_rejection_by_webhook_has_its_reason(sproom, opened):
    content, headers = sproom.webhook(DOCUMENT, "rejected", "Not our order")
    later = opened(webhook_key=sproom.public_key).read(Incoming("", content, headers), {})
    assert later.verdict is Verdict.REJECTED and later.text is not None and "Not our order" in later.text.en


def test_an_unknown_word_is_no_delivery_even_where_it_is_signed(sproom, opened):
    later = opened(webhook_key=sproom.public_key).read(posted(sproom, "sentToMars"), {})
    assert later.verdict is Verdict.ON_ITS_WAY


def test_without_the_key_a_webhook_is_a_hint(sproom, opened):
    assert opened().read(posted(sproom), {}).verdict is Verdict.HINT


def test_without_a_signature_a_webhook_is_a_hint(sproom, opened):
    incoming = posted(sproom)
    bare = Incoming("", incoming.content, {"content-type": "application/json"})
    assert opened(webhook_key=sproom.public_key).read(bare, {}).verdict is Verdict.HINT


def test_a_wrong_signature_is_believed_in_nothing(sproom, opened):
    transport = opened(webhook_key=sproom.public_key)
    incoming = posted(sproom)
    flipped = incoming.content.replace(b"transmissionCompleted", b"transmissionCompletes")
    for forged in (
        Incoming("", flipped, incoming.headers),
        posted(sproom, **{"x-signature": "bm8="}),
        posted(sproom, **{"x-signature": "not base64 ø"}),
    ):
        with pytest.raises(Unreadable):
            transport.read(forged, {})


def test_the_signature_of_another_key_is_wrong(sproom, opened):
    transport = opened(webhook_key=pem_of(rsa.generate_private_key(65537, 2048)))
    with pytest.raises(Unreadable):
        transport.read(posted(sproom), {})


def test_another_kind_of_webhook_is_only_a_hint_although_it_is_signed(sproom, opened):
    body = {"webhookType": "documentReceived", "documentId": DOCUMENT, "documentStatus": "approved"}
    assert opened().read(Incoming("", json.dumps(body).encode()), {}).verdict is Verdict.HINT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"no",
        b'{"documentId": "x"}',
        b'{"webhookType": "test"}',
        b'{"webhookType": "t", "documentId": "../x"}',
    ],
)
def test_what_is_no_webhook_of_sproom_is_unreadable(opened, content):
    with pytest.raises(Unreadable):
        opened().reference_of(Incoming("", content))


def test_a_key_is_taken_with_and_without_its_lines(sproom):
    bare = "".join(sproom.public_key.splitlines()[1:-1])
    assert public_key(bare).public_numbers() == public_key(f" {sproom.public_key}\n").public_numbers()


@pytest.mark.parametrize(
    "text",
    [
        "rubbish", "", "ø", "-----BEGIN PUBLIC KEY-----\nrubbish\n-----END PUBLIC KEY-----",
        base64.b64encode(b"rubbish").decode(), pem_of(ec.generate_private_key(ec.SECP256R1())),
    ],
)  # fmt: skip
def test_what_is_no_rsa_key_is_said_at_its_field(text):
    with pytest.raises(ValueError):
        public_key(text)
    assert ("webhook_key" in SproomTransport.problems({"webhook_key": text}, ["token"])) is bool(text)


def test_a_stored_key_that_cannot_be_used_leaves_webhooks_a_hint(sproom, opened):
    assert opened(webhook_key="rubbish").read(posted(sproom), {}).verdict is Verdict.HINT
