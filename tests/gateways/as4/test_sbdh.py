"""The envelope around a document."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from lxml import etree

from invoiceapp.domain.identifiers import Participant
from invoiceapp.gateways.as4 import sbdh
from invoiceapp.gateways.as4.errors import EbmsFault
from invoiceapp.gateways.as4.names import SBDH
from invoiceapp.gateways.as4.sbdh import PayloadUnusable, Scope

from .conftest import HEADER, INVOICE

ROOT = INVOICE.partition(b"?>\n")[2].strip()
NAMESPACES = {"sh": SBDH}


def canonical(content: bytes) -> bytes:
    return etree.tostring(etree.fromstring(content), method="c14n", exclusive=True)


def texts(envelope: bytes, path: str) -> list[str]:
    return [one.text for one in etree.fromstring(envelope).iterfind(path, NAMESPACES)]


def test_what_is_built_is_read_again():
    header, payload = sbdh.read(sbdh.build(INVOICE, HEADER))
    assert payload == ROOT
    assert header == replace(HEADER, standard="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2", type="Invoice")


def test_the_header_says_what_the_specification_demands():
    envelope = sbdh.build(INVOICE, HEADER)
    identification = ".//sh:DocumentIdentification/sh:"
    assert texts(envelope, ".//sh:HeaderVersion") == ["1.0"]
    assert texts(envelope, ".//sh:Sender/sh:Identifier") == ["0184:12345674"]
    assert texts(envelope, ".//sh:Receiver/sh:Identifier[@Authority='iso6523-actorid-upis']") == ["0088:5798000000001"]
    assert texts(envelope, identification + "CreationDateAndTime") == ["2026-11-23T08:30:00Z"]
    assert texts(envelope, identification + "InstanceIdentifier") == [HEADER.instance_id]
    assert texts(envelope, ".//sh:Scope/sh:Type") == ["DOCUMENTID", "PROCESSID", "COUNTRY_C1"]
    assert texts(envelope, ".//sh:Scope/sh:Identifier") == ["busdox-docid-qns", "cenbii-procid-ubl"]
    assert texts(envelope, ".//sh:Scope/sh:InstanceIdentifier")[2] == "DK"


def test_further_scopes_follow_in_order_and_are_read():
    envelope = sbdh.build(INVOICE, replace(HEADER, scopes=(Scope("A", "1"),)), [Scope("B", "2", "three")])
    assert sbdh.read(envelope)[0].scopes == (Scope("A", "1"), Scope("B", "2", "three"))


@pytest.mark.parametrize(
    "document",
    [
        ROOT,
        b"\xef\xbb\xbf" + INVOICE,
        INVOICE.decode().replace("UTF-8", "utf-16").encode("utf-16"),
        INVOICE.decode().replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        b"<!-- before -->" + ROOT + b"<?after it?>",
        b'<a:Invoice xmlns:a="urn:a"><Line xmlns:b="urn:b" b:c="&#9;&gt;"/><![CDATA[<>]]></a:Invoice>',
    ],
)
def test_the_canonical_form_of_the_document_stays(document):
    assert canonical(sbdh.read(sbdh.build(document, HEADER))[1]) == canonical(document)


def test_an_element_without_namespace_inherits_none_from_the_envelope():
    inside = etree.fromstring(sbdh.build(b"<Invoice><ID>1</ID></Invoice>", HEADER))[1]
    assert inside.tag == "Invoice"
    assert inside[0].tag == "ID"


@pytest.mark.parametrize(
    "document",
    [
        b"%PDF-1.7",
        b"<Invoice><ID></Invoice>",
        b'<!DOCTYPE Invoice [<!ENTITY a "b">]><Invoice>&a;</Invoice>',
        b"<Invoice/>",
        b"",
        b'<?xml version="1.0" encoding="klingon"?><Invoice>1</Invoice>',
    ],
)
def test_what_is_no_document_gets_no_envelope(document):
    with pytest.raises(PayloadUnusable) as refused:
        sbdh.build(document, HEADER)
    assert not refused.value.is_wrapped


def test_a_document_is_wrapped_once():
    with pytest.raises(PayloadUnusable) as refused:
        sbdh.build(sbdh.build(INVOICE, HEADER), HEADER)
    assert refused.value.is_wrapped


def test_values_are_escaped():
    header = replace(HEADER, sender=Participant("9999", '<&">'))
    assert sbdh.read(sbdh.build(INVOICE, header))[0].sender == header.sender


def test_namespaces_declared_on_the_envelope_are_kept_with_the_document():
    envelope = sbdh.build(b'<x:Invoice xmlns:x="urn:x"><x:ID>1</x:ID></x:Invoice>', HEADER)
    moved = envelope.replace(b' xmlns:x="urn:x"', b"").replace(b"xmlns:sh=", b'xmlns:x="urn:x" xmlns:sh=', 1)
    payload = sbdh.read(moved)[1]
    assert canonical(payload) == b'<x:Invoice xmlns:x="urn:x"><x:ID>1</x:ID></x:Invoice>'


def change(old: bytes, new: bytes) -> bytes:
    envelope = sbdh.build(INVOICE, HEADER)
    assert old in envelope
    return envelope.replace(old, new)


@pytest.mark.parametrize(
    "envelope",
    [
        INVOICE,
        change(ROOT, b""),
        change(ROOT, ROOT + ROOT),
        change(b"COUNTRY_C1", b"DOCUMENTID"),
        change(b"PROCESSID", b"SOMETHING"),
        change(b"<sh:Type>Invoice<", b"<sh:Type>CreditNote<"),
        change(b'Authority="iso6523-actorid-upis"', b'Authority="other"'),
        change(b"2026-11-23T08:30:00Z", b"yesterday"),
        change(b"0184:12345674", b"0184:<!-- -->12345674"),
        change(b"?>\n<sh:", b'?><!DOCTYPE a [<!ENTITY b "c">]>\n<sh:'),
        change(ROOT, b"x" * sbdh.LARGEST),
    ],
)
def test_an_envelope_that_is_not_as_it_should_be_is_refused(envelope):
    with pytest.raises(EbmsFault):
        sbdh.read(envelope)


def test_older_envelopes_name_no_schemes():
    envelope = change(b"<sh:Identifier>busdox-docid-qns</sh:Identifier>", b"").replace(
        b"<sh:Identifier>cenbii-procid-ubl</sh:Identifier>", b""
    )
    header = sbdh.read(envelope)[0]
    assert (header.document_id, header.process) == (HEADER.document_id, HEADER.process)


def test_a_time_without_zone_counts_as_utc():
    envelope = change(b"2026-11-23T08:30:00Z", b"2026-11-23T08:30:00")
    assert sbdh.read(envelope)[0].created == datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def test_the_largest_document_that_is_sent_has_attachments_beyond_what_one_text_may_hold():
    document = b"<Invoice>" + b"<Line>" * 2 + b"x" * 15_000_000 + b"</Line></Line></Invoice>"
    assert document in sbdh.build(document, HEADER)
