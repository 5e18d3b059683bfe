"""What other access points post to us: which messages are opened and receipted, and what the others are told."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.outbound import LOOPBACK
from support.pki import make_pki
from support.receivers.as4 import holder, identity, pki
from support.responses import response

from invoiceapp.gateways.as4 import exchange, inbound, sbdh
from invoiceapp.gateways.as4.ebms import Party
from invoiceapp.gateways.as4.exchange import AnswerInvalid, ErrorAnswered
from invoiceapp.gateways.as4.names import INITIATOR
from invoiceapp.gateways.as4.wss import Identity
from invoiceapp.gateways.base import Incoming, Reply
from invoiceapp.gateways.nemhandel import NemHandelTransport
from invoiceapp.gateways.peppol import PeppolTransport

from .conftest import HEADER, INVOICE, MESSAGE_ID, lower

RESPONSE = response("BusinessAccept")


@pytest.fixture
def config():
    """Ours is the access point that ``conversation`` writes to."""
    own = holder("POP000002")
    return {
        "own_certificate": own.pem, "own_key": own.key_pem, "anchors": pki().root_pem + pki().intermediate_pem,
        "revocation": "off",
    }  # fmt: skip


@pytest.fixture
def unwrap(config):
    """``unwrap(sealed, body=None, kind=PeppolTransport, **settings)``: as it is posted."""

    def run(sealed, body=None, kind=PeppolTransport, **settings):
        incoming = Incoming("", sealed.body if body is None else body, lower(sealed.headers))
        with kind(config | settings, LOOPBACK) as transport:
            return transport.unwrap(incoming)

    return run


@pytest.fixture(scope="session")
def answered(conversation):
    """A message with a response."""
    return conversation.sealed(sbdh.build(RESPONSE, HEADER))


def code_of(unwrapped, sealed) -> str:
    """The error by which a message is refused, with nothing to be stored."""
    assert unwrapped.incoming is None
    assert unwrapped.reply.status == 200
    with pytest.raises(ErrorAnswered) as refused:
        check(unwrapped.reply, sealed)
    (error,) = refused.value.errors
    return f"{error.code} {error.description}"


def check(reply: Reply, sealed, signer: str = "POP000002") -> exchange.Proof:
    headers = {"content-type": reply.media_type}
    return exchange.check_answer(headers, reply.content, sealed, holder(signer).certificate)


def test_a_response_is_opened_and_answered_with_a_receipt_that_its_sender_accepts(unwrap, answered):
    found = unwrap(answered)
    assert found.incoming is not None
    assert found.incoming.name == MESSAGE_ID
    assert found.incoming.content in RESPONSE
    assert check(found.reply, answered).certificate == holder("POP000002").certificate


def test_what_is_kept_around_it_says_who_sent_it(unwrap, answered):
    kept = unwrap(answered).incoming.headers
    assert kept["as4-message-id"] == MESSAGE_ID
    assert kept["as4-from"] == "POP000001"
    assert (kept["sbdh-sender"], kept["sbdh-receiver"]) == (str(HEADER.sender), str(HEADER.receiver))
    assert kept["sbdh-instance"] == HEADER.instance_id


def test_another_message_of_the_same_id_is_told_to_be_a_duplicate(unwrap, answered):
    with pytest.raises(ErrorAnswered, match="EBMS:4001"):
        check(unwrap(answered).repeated, answered)


@pytest.mark.parametrize("document", [INVOICE, b"<ApplicationResponse>x</ApplicationResponse>"])
def test_other_documents_are_not_serviced(unwrap, conversation, document):
    sealed = conversation.sealed(sbdh.build(document, HEADER))
    code = code_of(unwrap(sealed), sealed)
    assert code.startswith("EBMS:0004") and "PEPPOL:NOT_SERVICED" in code


def test_a_response_that_swells_when_it_is_unpacked_is_not_kept(unwrap, conversation):
    """Some kilobytes on the wire would fill the disk."""
    sealed = conversation.sealed(sbdh.build(response("BusinessAccept", texts=("x" * inbound.LARGEST,)), HEADER))
    assert len(sealed.body) < 30_000
    assert code_of(unwrap(sealed), sealed).startswith("EBMS:0001")


def test_what_was_changed_on_the_way_is_refused(unwrap, answered):
    body = bytearray(answered.body)
    body[-100] ^= 1
    assert code_of(unwrap(answered, bytes(body)), answered).startswith("EBMS:0102")


def test_a_sender_of_another_network_is_refused(unwrap, conversation):
    stranger = make_pki("Strangers").holder("POP000001")
    sealed = replace(conversation, ours=Identity(stranger.certificate, stranger.key)).sealed(
        sbdh.build(RESPONSE, HEADER)
    )
    assert code_of(unwrap(sealed), sealed).startswith("EBMS:0101")


def test_a_sender_whose_certificate_has_ended_is_refused(unwrap, conversation):
    start = datetime.now(UTC) - timedelta(days=300)
    ended = pki().holder("POP000001", valid=(start, start + timedelta(days=100)))
    sealed = replace(conversation, ours=Identity(ended.certificate, ended.key)).sealed(sbdh.build(RESPONSE, HEADER))
    assert code_of(unwrap(sealed), sealed).startswith("EBMS:0101")


def test_a_message_for_somebody_else_is_refused(unwrap, conversation):
    sealed = conversation.sealed(
        sbdh.build(RESPONSE, HEADER), encrypted_for=identity("POP000003").certificate
    )  # fmt: skip
    assert code_of(unwrap(sealed), sealed).startswith("EBMS:0102")


@pytest.mark.parametrize(("switch_on", "signer"), [("2026-01-01", "POP000003"), ("2999-01-01", "POP000002")])
def test_around_the_switch_both_keys_open_and_the_one_of_the_day_signs(unwrap, answered, switch_on, signer):
    following = holder("POP000003")
    found = unwrap(
        answered, own_next_certificate=following.pem, own_next_key=following.key_pem, own_switch_on=switch_on
    )
    assert found.incoming is not None
    assert check(found.reply, answered, signer)


def test_a_party_by_another_name_is_refused_on_peppol_only(unwrap, conversation):
    sealed = conversation.sealed(sbdh.build(RESPONSE, HEADER), sender=Party("12345674", INITIATOR))
    assert code_of(unwrap(sealed), sealed).startswith("EBMS:0101")
    assert unwrap(sealed, kind=NemHandelTransport).incoming is not None


@pytest.mark.parametrize(
    "settings",
    [
        {"own_certificate": None, "own_key": None},
        {"own_key": "no key"},
        {"own_certificate": holder("POP000003").pem},
        {"anchors": None},
        {"anchors": "no certificate"},
        {"revocation": "strict"},
    ],
)
def test_where_nothing_can_be_judged_the_sender_is_asked_to_come_again(unwrap, answered, settings):
    found = unwrap(answered, **settings)
    assert (found.incoming, found.reply) == (None, Reply(503))


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", ""),
        (b"hello", "text/plain"),
        (b"<html/>", "application/soap+xml"),
        (b"--x\r\n\r\n--x--", 'multipart/related; boundary="x"'),
        (b"\x00" * 5_000, "multipart/related"),
    ],
)
def test_garbage_is_answered_by_an_error_that_names_no_message(config, content, content_type):
    headers = {"content-type": content_type} if content_type else {}
    with PeppolTransport(config, LOOPBACK) as transport:
        found = transport.unwrap(Incoming("", content, headers))
    assert found.incoming is None and found.reply.status == 200
    assert b"EBMS:00" in found.reply.content and b"RefToMessageId" not in found.reply.content


def test_more_than_is_read_is_refused(unwrap, conversation):
    sealed = conversation.sealed(b" " * (sbdh.LARGEST + 1))
    assert code_of(unwrap(sealed), sealed).startswith("EBMS:0303")


def test_a_receipt_about_another_message_proves_nothing(unwrap, conversation, answered):
    other = conversation.sealed(sbdh.build(RESPONSE, HEADER), message_id="other@as4.invoiceapp")
    with pytest.raises(AnswerInvalid):
        check(unwrap(other).reply, answered)


def test_nothing_of_the_document_and_no_key_is_logged(unwrap, conversation, answered, caplog):
    sealed = conversation.sealed(sbdh.build(INVOICE, HEADER))
    with caplog.at_level(logging.DEBUG):
        unwrap(sealed)
        unwrap(answered, body=answered.body[:2_000])
        unwrap(answered, own_certificate=holder("POP000003").pem)
    assert len(caplog.records) >= 3
    for secret in ("2026-17", "BEGIN", holder("POP000002").key_pem.splitlines()[3]):
        assert secret not in caplog.text
