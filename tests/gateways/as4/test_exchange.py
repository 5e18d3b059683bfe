"""What an answer proves, and what it does not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree
from support.receivers.as4 import identity

from invoiceapp.gateways.as4 import ebms, exchange, receiving, wss
from invoiceapp.gateways.as4.errors import NOT_SERVICED, EbmsFault, FailedAuthentication, MimeInconsistency, NotServiced
from invoiceapp.gateways.as4.exchange import AnswerInvalid, ErrorAnswered, Sealed
from invoiceapp.gateways.as4.names import DS, EB, SOAP, WSSE, WSU, q
from invoiceapp.gateways.as4.receiving import Answer
from invoiceapp.gateways.as4.references import Reference

from .conftest import MESSAGE_ID, Conversation, changed, find

SOAP_TYPE = "application/soap+xml; charset=UTF-8"


def signed(root: Any, by: str = "POP000002") -> Answer:
    wss.sign(root, (), identity(by))
    return Answer(exchange.written(root), SOAP_TYPE)


def receipt_about(message_id: str, references: tuple[Reference, ...]) -> Answer:
    return signed(ebms.build_receipt("receipt@them", message_id, references, datetime.now(UTC)))


def test_a_receipt_proves_that_they_have_what_we_signed(conversation, sealed, receipt):
    proof = conversation.check(receipt, sealed)
    assert proof.certificate == conversation.theirs.certificate
    assert proof.message_id in receipt.content.decode()


def test_what_we_signed_is_kept_as_evidence(sealed):
    assert [one.uri for one in sealed.references] == ["#messaging", "#body", f"cid:document.{MESSAGE_ID}"]
    assert sealed.signed_info.startswith(b"<ds:SignedInfo")
    assert all(one.digest for one in sealed.references)


def test_a_receipt_for_another_message_proves_nothing(conversation, sealed):
    with pytest.raises(AnswerInvalid, match="another message"):
        conversation.check(receipt_about("another@as4.invoiceapp", sealed.references), sealed)


@pytest.mark.parametrize(
    "altered",
    [
        lambda found: found[:-1],
        lambda found: (*found, Reference("cid:more", b"x" * 32)),
        lambda found: (*found, found[-1]),
        lambda found: (*found[:-1], Reference(found[-1].uri, b"x" * 32)),
        lambda found: (*found[:-1], Reference("cid:another", found[-1].digest)),
        lambda found: (),
    ],
)
def test_a_receipt_about_other_content_proves_nothing(conversation, sealed, altered):
    with pytest.raises(AnswerInvalid, match="other content"):
        conversation.check(receipt_about(MESSAGE_ID, altered(sealed.references)), sealed)


def test_the_order_of_what_a_receipt_names_does_not_matter(conversation, sealed):
    assert conversation.check(receipt_about(MESSAGE_ID, sealed.references[::-1]), sealed)


def test_a_receipt_by_another_certificate_of_the_network_proves_nothing(conversation, sealed):
    with pytest.raises(AnswerInvalid, match="another certificate"):
        conversation.check(conversation.receipt(sealed, by=identity("POP000003")), sealed)


def test_an_unsigned_receipt_proves_nothing(conversation, sealed):
    root = ebms.build_receipt("receipt@them", MESSAGE_ID, sealed.references, datetime.now(UTC))
    etree.SubElement(root[0], q(WSSE, "Security"))
    with pytest.raises(AnswerInvalid, match="not signed"):
        conversation.check(Answer(exchange.written(root), SOAP_TYPE), sealed)


def test_a_receipt_without_non_repudiation_information_proves_nothing(conversation, sealed):
    root = ebms.build_receipt("receipt@them", MESSAGE_ID, (), datetime.now(UTC))
    find(root, "Receipt").clear()
    with pytest.raises(AnswerInvalid, match="non-repudiation"):
        conversation.check(signed(root), sealed)


def altered(receipt: Answer, change: Callable[[Any], None]) -> Answer:
    return Answer(changed(receipt.content, change), receipt.media_type)


def other_text(name: str, text: str) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        find(root, name).text = text

    return change


def comment_in(name: str) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        element = find(root, name)
        text, element.text = element.text, element.text[:3]
        element.append(etree.Comment(" "))
        element[-1].tail = text[3:]

    return change


def without(name: str) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        element = find(root, name)
        element.getparent().remove(element)

    return change


def attribute(name: str, key: str, value: str) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        find(root, name).set(key, value)

    return change


def doubled(name: str) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        element = find(root, name)
        element.addnext(copy.deepcopy(element))

    return change


def moved_to(place: Callable[[Any], Any]) -> Callable[[Any], None]:
    """The signed header goes where nobody reads it, and a forged one takes its place."""

    def change(root: Any) -> None:
        messaging = find(root, "Messaging")
        forged = copy.deepcopy(messaging)
        forged.set(q(WSU, "Id"), "forged")
        find(forged, "RefToMessageId").text = "forged@us"
        messaging.addnext(forged)
        place(root).append(messaging)

    return change


def beside_the_header(root: Any) -> Any:
    return etree.SubElement(find(root, "Header"), "Wrapper")


def forged_beside(root: Any) -> None:
    forged = copy.deepcopy(find(root, "Messaging"))
    del forged.attrib[q(WSU, "Id")]
    find(root, "Messaging").addprevious(forged)


def same_id_twice(root: Any) -> None:
    etree.SubElement(root.find(q(SOAP, "Body")), "Anything").set("ID", "messaging")


def second_header(root: Any) -> None:
    root.insert(0, copy.deepcopy(root[0]))


def second_signature(root: Any) -> None:
    twin = copy.deepcopy(find(root, "Signature"))
    del twin.attrib["Id"]
    find(root, "Signature").addnext(twin)


def weaker_digest(root: Any) -> None:
    find(root, "SignedInfo").find(f".//{q(DS, 'DigestMethod')}").set(
        "Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1"
    )


@pytest.mark.parametrize(
    "change",
    [
        other_text("RefToMessageId", "another@as4.invoiceapp"),
        other_text("MessageId", "changed@them"),
        other_text("SignatureValue", "AAAA"),
        other_text("SignatureValue", "not base64!"),
        other_text("BinarySecurityToken", "AAAA"),
        comment_in("RefToMessageId"),
        comment_in("DigestValue"),
        comment_in("SignatureValue"),
        without("Signature"),
        without("Security"),
        without("KeyInfo"),
        without("BinarySecurityToken"),
        without("Transform"),
        without("Messaging"),
        doubled("Signature"),
        doubled("Messaging"),
        doubled("Security"),
        doubled("Reference"),
        attribute("SignatureMethod", "Algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        attribute("CanonicalizationMethod", "Algorithm", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        attribute("BinarySecurityToken", "ValueType", "other"),
        weaker_digest,
        moved_to(lambda root: root.find(q(SOAP, "Body"))),
        forged_beside,
        same_id_twice,
        second_header,
        second_signature,
    ],
)
def test_a_receipt_that_was_changed_or_wrapped_proves_nothing(conversation, sealed, receipt, change):
    with pytest.raises(AnswerInvalid):
        conversation.check(altered(receipt, change), sealed)


def test_a_comment_cuts_no_id_short(conversation, sealed):
    """It is not part of what is signed: ``ours<!-- -->.other`` must not be read as ours."""

    def cut(root: Any) -> None:
        element = find(root, "RefToMessageId")
        element.text = MESSAGE_ID
        element.append(etree.Comment(" "))
        element[-1].tail = ".other"

    about_another = receipt_about(f"{MESSAGE_ID}.other", sealed.references)
    with pytest.raises(AnswerInvalid, match="more than text"):
        conversation.check(altered(about_another, cut), sealed)


@pytest.mark.parametrize("place", [beside_the_header, lambda root: find(root, "Security")])
def test_only_the_header_that_was_signed_is_read(conversation, sealed, receipt, place):
    with pytest.raises(AnswerInvalid, match="does not cover"):
        conversation.check(altered(receipt, moved_to(place)), sealed)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"OK", b"<html/>", b"\x00\xff",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<S12:Envelope xmlns:S12="http://www.w3.org/2003/05/soap-envelope"><S12:Body><S12:Fault/></S12:Body></S12:Envelope>',
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [SOAP_TYPE, "text/html", "multipart/related; boundary=b"])
def test_an_answer_that_is_no_as4_proves_nothing(conversation, sealed, content, kind):
    with pytest.raises(AnswerInvalid):
        conversation.check(Answer(content, kind), sealed)


def refused(conversation: Conversation, sealed: Sealed, answer: Answer) -> ErrorAnswered:
    with pytest.raises(ErrorAnswered) as found:
        conversation.check(answer, sealed)
    return found.value


@pytest.mark.parametrize("by", [None, identity("POP000002")])
@pytest.mark.parametrize("ref_to", [MESSAGE_ID, None])
def test_an_error_counts_signed_or_not(conversation, sealed, by, ref_to):
    error = refused(conversation, sealed, receiving.refusal(FailedAuthentication("who is that?"), ref_to, by))
    assert [one.code for one in error.errors] == ["EBMS:0101"]
    assert str(error) == "EBMS:0101 FailedAuthentication · who is that?"


def test_the_detail_of_an_error_is_told(conversation, sealed):
    error = refused(conversation, sealed, receiving.refusal(NotServiced(), MESSAGE_ID))
    assert error.errors[0].code == "EBMS:0004"
    assert NOT_SERVICED in error.errors[0].description


def test_an_error_about_another_message_proves_nothing(conversation, sealed):
    with pytest.raises(AnswerInvalid):
        conversation.check(receiving.refusal(MimeInconsistency("no"), "another@as4.invoiceapp"), sealed)


def test_a_warning_is_no_answer(conversation, sealed):
    warning = altered(
        receiving.refusal(EbmsFault("hm"), MESSAGE_ID), lambda root: find(root, "Error").set("severity", "warning")
    )
    with pytest.raises(AnswerInvalid):
        conversation.check(warning, sealed)


def test_a_receipt_with_an_error_beside_it_proves_nothing(conversation, sealed):
    root = ebms.build_receipt("receipt@them", MESSAGE_ID, sealed.references, datetime.now(UTC))
    signal = find(root, "SignalMessage")
    etree.SubElement(signal, q(EB, "Error"), errorCode="EBMS:0004", severity="failure")
    with pytest.raises(AnswerInvalid, match="neither"):
        conversation.check(signed(root), sealed)


def test_prefixes_that_others_treat_inclusively_are_verified(conversation, sealed, receipt):
    root = ebms.build_receipt("receipt@them", MESSAGE_ID, sealed.references, datetime.now(UTC))
    answer = signed_inclusively(root)
    assert b"PrefixList" in answer.content
    assert conversation.check(answer, sealed)


def signed_inclusively(root: Any) -> Answer:
    """As WSS4J signs: with the prefixes that are in scope."""
    prefixes = ("eb", "S12", "wsu")

    def to_element(name: str, element: Any) -> Reference:
        return Reference(f"#{name}", wss._digest(element, prefixes), prefixes)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Reference, "to_element", staticmethod(to_element))
        return signed(root)
