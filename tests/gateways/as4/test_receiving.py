"""A message to us: what is opened, and what is refused with which code."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree
from support.pki import ec_key, rsa_key
from support.receivers.as4 import holder, identity, pki

from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Identifier
from invoiceapp.gateways.as4 import compression, ebms, mime, receiving, references, sbdh, wss
from invoiceapp.gateways.as4.ebms import Address, PartInfo, Party
from invoiceapp.gateways.as4.errors import FailedAuthentication, PolicyNoncompliance
from invoiceapp.gateways.as4.exchange import Sealed, written
from invoiceapp.gateways.as4.names import DS, EB, GZIP_TYPE, INITIATOR, RESPONDER, SOAP, WSU, XENC, q
from invoiceapp.gateways.as4.receiving import MessageRefused

from .conftest import HEADER, INVOICE, MESSAGE_ID, Change, Conversation, find, lower


def test_a_message_is_opened_and_says_who_sent_what(conversation, sealed):
    opened = conversation.open(sealed)
    assert opened.payload in INVOICE
    assert opened.header.instance_id == HEADER.instance_id
    assert opened.certificate == conversation.ours.certificate
    assert opened.references == sealed.references
    assert sbdh.read(opened.envelope)[1] == opened.payload
    message = opened.message
    assert (message.message_id, message.action) == (MESSAGE_ID, str(HEADER.document_id))
    assert message.sender == Party("POP000001", INITIATOR)
    assert message.receiver == Party("POP000002", RESPONDER)


def test_any_of_our_keys_may_have_been_encrypted_for(conversation, sealed):
    keys = [identity("POP000003").key, conversation.theirs.key]
    assert receiving.open_message(lower(sealed.headers), sealed.body, keys, lambda _: None)


def test_nothing_of_the_document_can_be_read_on_the_way(conversation):
    plain = sbdh.build(b"<Invoice>" + b"SECRET" * 1_000 + b"</Invoice>", HEADER)
    assert compression.compress(plain)[20:60] not in conversation.sealed(plain).body


def flipped(body: bytes, position: int) -> bytes:
    return body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]


def test_a_flipped_bit_in_the_ciphertext_is_noticed(conversation, sealed):
    assert conversation.fault(sealed, flipped(sealed.body, len(sealed.body) - 100)) == "EBMS:0102"


def test_a_message_for_another_certificate_cannot_be_opened(conversation):
    sealed = conversation.sealed(encrypted_for=identity("POP000003").certificate)
    assert conversation.fault(sealed) == "EBMS:0102"


@pytest.mark.parametrize("key", [ec_key(), rsa_key("short", 1024)])
def test_nothing_is_encrypted_for_a_key_that_is_weak_or_of_another_kind(conversation, key):
    with pytest.raises(PolicyNoncompliance):
        conversation.sealed(encrypted_for=pki().holder("weak", key=key).certificate)


def test_a_signer_who_is_not_trusted_is_refused(conversation, sealed):
    def trust(_: Any) -> None:
        raise FailedAuthentication("nobody we know")

    with pytest.raises(MessageRefused) as refused:
        conversation.open(sealed, trust=trust)
    assert (refused.value.fault.code, refused.value.ref_to) == ("EBMS:0101", MESSAGE_ID)


def test_a_message_that_is_cut_is_refused_without_its_id(conversation, sealed):
    with pytest.raises(MessageRefused) as refused:
        conversation.open(sealed, sealed.body[:2_000])
    assert (refused.value.fault.code, refused.value.ref_to) == ("EBMS:0007", None)


def test_the_party_is_the_one_of_the_certificate_unless_the_network_says_otherwise(conversation):
    sealed = conversation.sealed(sender=Party("POP999999", INITIATOR))
    assert conversation.fault(sealed) == "EBMS:0101"
    keys = [conversation.theirs.key]
    assert receiving.open_message(lower(sealed.headers), sealed.body, keys, lambda _: None, checks_party=False)


@pytest.mark.parametrize(
    "differs",
    [
        {"original_sender": Address("0184:87654321")},
        {"final_recipient": Address("0088:5790000000000")},
        {"action": "busdox-docid-qns::something"},
        {"process": Identifier("cenbii-procid-ubl", "another")},
    ],
)
def test_header_and_envelope_must_say_the_same(conversation, differs):
    assert conversation.fault(conversation.sealed(**differs)) == "EBMS:0001"


def test_participants_differ_not_by_the_case_of_their_letters(conversation):
    header = replace(HEADER, sender=Participant("9999", "ABC"))
    sealed = conversation.sealed(header=header, original_sender=Address("9999:abc"))
    assert conversation.open(sealed).header.sender.value == "ABC"


@pytest.mark.parametrize(
    ("differs", "code"),
    [
        ({"message_id": "no-mail-id"}, "EBMS:0001"),
        ({"receiver": Party("POP000002", INITIATOR)}, "EBMS:0001"),
        ({"final_recipient": Address(" ")}, "EBMS:0001"),
        ({"parts": (PartInfo("one@x"), PartInfo("two@x"))}, "EBMS:0001"),
        ({"parts": (PartInfo("one@x", compression="application/zip"),)}, "EBMS:0001"),
        ({"parts": (PartInfo("one@x", compression=None),)}, "EBMS:0103"),
        ({"conversation_id": ""}, "EBMS:0009"),
    ],
)
def test_a_header_that_the_profile_does_not_allow_is_refused(conversation, differs, code):
    assert conversation.fault(conversation.sealed(**differs)) == code


@pytest.mark.parametrize("content", [INVOICE, b"no XML"])
def test_a_document_without_envelope_is_refused(conversation, content):
    assert conversation.fault(conversation.sealed(content)) == "EBMS:0004"


def test_what_is_no_gzip_or_a_bomb_is_refused(conversation, monkeypatch):
    monkeypatch.setattr(compression, "compress", lambda content: content)
    assert conversation.fault(conversation.sealed()) == "EBMS:0303"
    monkeypatch.undo()
    assert conversation.fault(conversation.sealed(b" " * (sbdh.LARGEST + 1))) == "EBMS:0303"


def drop(name: str) -> Change:
    def change(root: Any) -> None:
        element = find(root, name)
        element.getparent().remove(element)

    return change


def set_on(name: str, attribute: str, value: str) -> Change:
    return lambda root: find(root, name).set(attribute, value)


def say(name: str, text: str) -> Change:
    def change(root: Any) -> None:
        find(root, name).text = text

    return change


def wrapped(root: Any) -> None:
    """The signed header hides beside the one that is read, and another one stands in its place."""
    messaging = find(root, "Messaging")
    forged = copy.deepcopy(messaging)
    forged.set(q(WSU, "Id"), "forged")
    messaging.addnext(forged)
    etree.SubElement(find(root, "Header"), "Wrapper").append(messaging)


def add_document(root: Any) -> None:
    info = find(root, "PartInfo")
    info.addnext(copy.deepcopy(info))


def other_attachment(root: Any) -> None:
    find(root, "CipherReference").set("URI", "cid:another")


def second_key(root: Any) -> None:
    key = find(root, "EncryptedKey")
    twin = copy.deepcopy(key)
    twin.set("Id", "another")
    key.addnext(twin)


def weaker_mask(root: Any) -> None:
    find(root, "MGF").set("Algorithm", "http://www.w3.org/2009/xmlenc11#mgf1sha1")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (say("ConversationId", "another"), "EBMS:0101"),
        (drop("Signature"), "EBMS:0103"),
        (drop("EncryptedKey"), "EBMS:0103"),
        (drop("EncryptedData"), "EBMS:0103"),
        (drop("Security"), "EBMS:0009"),
        (drop("UserMessage"), "EBMS:0009"),
        (wrapped, "EBMS:0101"),
        (add_document, "EBMS:0101"),
        (other_attachment, "EBMS:0103"),
        (second_key, "EBMS:0102"),
        (weaker_mask, "EBMS:0102"),
        (say("CipherValue", "AAAA"), "EBMS:0102"),
        (say("CipherValue", "?"), "EBMS:0102"),
        (set_on("EncryptedData", "Type", "other"), "EBMS:0102"),
        (set_on("UserMessage", "mpc", "urn:other"), "EBMS:0001"),
        (set_on("PartInfo", "href", "#body"), "EBMS:0001"),
    ],
)
def test_what_was_changed_on_the_way_is_refused(conversation, sealed, change, code):
    assert conversation.fault(sealed, conversation.altered(sealed, change)) == code


def test_our_key_opens_it_whether_or_not_the_certificate_is_named(conversation, sealed):
    assert conversation.open(sealed, conversation.altered(sealed, drop("BinarySecurityToken")))


@pytest.mark.parametrize(
    ("module", "algorithm"),
    [
        (wss, "RSA_SHA256"),
        (wss, "EXC_C14N"),
        (references, "SHA256"),
        (references, "EXC_C14N"),
        (references, "ATTACHMENT_CONTENT"),
    ],
)
def test_a_signature_that_names_other_algorithms_is_refused(conversation, monkeypatch, module, algorithm):
    monkeypatch.setattr(module, algorithm, "http://www.w3.org/2000/09/xmldsig#older")
    sealed = conversation.sealed()
    monkeypatch.undo()
    assert conversation.fault(sealed) == "EBMS:0101"


def posted(
    conversation: Conversation, change: Change, parts: list[mime.Part] | None = None, name: str = "one@x",
    *, signs_document: bool = True,
) -> Sealed:  # fmt: skip
    """A message that is changed before it is signed and encrypted. ``name``: of the attachment."""
    plain = [mime.Part(name, compression.compress(sbdh.build(INVOICE, HEADER)), GZIP_TYPE)]
    opened = conversation.open(conversation.sealed())
    root = ebms.build_message(replace(opened.message, parts=(PartInfo("one@x"),)))
    change(root)
    signed = wss.sign(root, plain if signs_document else [], conversation.ours)
    encrypted = wss.encrypt(root, plain, conversation.theirs.certificate)
    kind, body = mime.pack(written(root), [*encrypted, *(parts or [])])
    return Sealed(MESSAGE_ID, body, {"Content-Type": kind}, signed.references, signed.signed_info)


def test_an_attachment_that_is_not_encrypted_and_signed_is_refused(conversation):
    sealed = posted(conversation, lambda _: None, [mime.Part("two@x", b"plain")])
    assert conversation.fault(sealed) == "EBMS:0103"


def test_an_attachment_that_is_encrypted_but_not_signed_is_refused(conversation):
    assert conversation.fault(posted(conversation, lambda _: None, signs_document=False)) == "EBMS:0101"


def test_an_attachment_that_the_header_does_not_name_is_refused(conversation):
    assert conversation.open(posted(conversation, lambda _: None))
    assert conversation.fault(posted(conversation, lambda _: None, name="two@x")) == "EBMS:0007"


def test_a_body_that_is_not_signed_is_refused(conversation):
    def unsigned_body(root: Any) -> None:
        root.find(q(SOAP, "Body")).append(etree.Element("More"))

    sealed = posted(conversation, lambda _: None)
    assert conversation.fault(sealed, conversation.altered(sealed, unsigned_body)) == "EBMS:0101"


def test_each_thing_is_signed_once_so_that_no_stranger_makes_us_digest_for_minutes(conversation, monkeypatch):
    """It would hold, by any certificate: whether that one is trusted is asked afterwards."""
    once = references.Reference.write

    def twice(self: Any, parent: Any) -> None:
        once(self, parent)
        once(self, parent)

    monkeypatch.setattr(references.Reference, "write", twice)
    assert conversation.fault(conversation.sealed()) == "EBMS:0101"


def test_a_signature_over_more_than_anybody_needs_is_refused(conversation, monkeypatch):
    monkeypatch.setattr(wss, "MOST_REFERENCES", 2)
    assert conversation.fault(conversation.sealed()) == "EBMS:0101"


def test_properties_that_stand_twice_are_refused(conversation):
    def twice(root: Any) -> None:
        one = root.find(f".//{q(EB, 'Property')}[@name='finalRecipient']")
        one.addnext(copy.deepcopy(one))

    assert conversation.fault(posted(conversation, twice)) == "EBMS:0009"


def test_the_answer_is_signed_and_names_what_was_signed(conversation, sealed, receipt):
    root = etree.fromstring(receipt.content)
    assert len(root.findall(f".//{q(DS, 'Signature')}")) == 1
    assert not root.findall(f".//{q(XENC, 'EncryptedKey')}")
    assert receipt.media_type == "application/soap+xml; charset=UTF-8"
    uris = {one.get("URI") for one in find(root, "NonRepudiationInformation").iter(q(DS, "Reference"))}
    assert uris == {one.uri for one in sealed.references}
    assert holder("POP000002").pem.splitlines()[1][:40] in receipt.content.decode()
