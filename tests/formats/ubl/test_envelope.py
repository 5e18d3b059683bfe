"""The envelope (SBDH): every element in its place, and the document inside it untouched."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from lxml import etree

from invoiceapp.domain.identifiers import Participant
from invoiceapp.formats.base import Interchange, OptionsInvalid, Unreadable
from invoiceapp.formats.ubl import FORMATS
from invoiceapp.formats.ubl.envelope import unwrap, wrap
from invoiceapp.formats.ubl.profiles import OIOUBL_2_1, PEPPOL_BIS_3

from .samples import CREDIT_NOTE, INVOICE, OIOUBL, PEPPOL

SBDH = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"
UBL = "urn:oasis:names:specification:ubl:schema:xsd"
MADE = datetime(2026, 11, 22, 14, 5, 6, 789, tzinfo=timezone(timedelta(hours=1)))
INTERCHANGE = Interchange(7, MADE, "3f2b8f0e-4c4d-4f7b-9a52-6b1f0a9c1d2e")
BILSIM = "Procurement-BilSim-1.0"


def enveloped(fmt, invoice, **options):
    return fmt.write(invoice, fmt.parameters({"envelope": "true", **options}, INTERCHANGE))


def outline(element):
    """Names, attributes and texts in order, as nested tuples; everything is in the namespace of the envelope."""
    assert etree.QName(element).namespace == SBDH
    name = etree.QName(element).localname
    if len(element):
        return (name, [outline(child) for child in element])
    return (name, element.text, *element.attrib.items())


def scope(kind, value, scheme=None):
    leaves = [("Type", kind), ("InstanceIdentifier", value)]
    return ("Scope", [*leaves, ("Identifier", scheme)] if scheme else leaves)


@pytest.mark.parametrize(
    ("fmt", "kind", "options", "version", "document", "process"),
    [
        (
            PEPPOL, INVOICE, {}, "2.1",
            "Invoice##urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0::2.1",
            ("urn:fdc:peppol.eu:2017:poacc:billing:01:1.0", "cenbii-procid-ubl"),
        ),
        (
            PEPPOL, CREDIT_NOTE, {}, "2.1",
            "CreditNote##urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0::2.1",
            ("urn:fdc:peppol.eu:2017:poacc:billing:01:1.0", "cenbii-procid-ubl"),
        ),
        (
            OIOUBL, INVOICE, {}, "2.1", "Invoice##OIOUBL-2.1::2.1",
            ("urn:www.nesubl.eu:profiles:profile5:ver2.0", "nes-procid-ubl"),
        ),
        (
            OIOUBL, CREDIT_NOTE, {"customization": "OIOUBL-2.02", "profile": BILSIM}, "2.0",
            "CreditNote##OIOUBL-2.02::2.0", (BILSIM, "oioubl-procid-ubl"),
        ),
    ],
)  # fmt: skip
def test_the_header_has_every_element_in_its_place(invoice, fmt, kind, options, version, document, process):
    root = etree.fromstring(enveloped(fmt, replace(invoice, type=kind), **options))
    name = "Invoice" if kind is INVOICE else "CreditNote"
    header, payload = root
    assert root.tag == f"{{{SBDH}}}StandardBusinessDocument"
    assert payload.tag == f"{{{UBL}:{name}-2}}{name}"
    authority = ("Authority", "iso6523-actorid-upis")
    assert outline(header) == (
        "StandardBusinessDocumentHeader",
        [
            ("HeaderVersion", "1.0"),
            ("Sender", [("Identifier", "0184:12345674", authority)]),
            ("Receiver", [("Identifier", "0088:5798009811578", authority)]),
            (
                "DocumentIdentification",
                [
                    ("Standard", f"{UBL}:{name}-2"),
                    ("TypeVersion", version),
                    ("InstanceIdentifier", INTERCHANGE.instance_id),
                    ("Type", name),
                    ("CreationDateAndTime", "2026-11-22T13:05:06Z"),
                ],
            ),
            (
                "BusinessScope",
                [
                    scope("DOCUMENTID", f"{UBL}:{name}-2::{document}", "busdox-docid-qns"),
                    scope("PROCESSID", *process),
                    scope("COUNTRY_C1", "DK"),
                ],
            ),
        ],
    )


def test_the_country_is_the_sellers(invoice):
    seller = replace(invoice.seller, address=replace(invoice.seller.address, country="SE"))
    root = etree.fromstring(enveloped(PEPPOL, replace(invoice, seller=seller)))
    assert [element.text for element in root.iter(f"{{{SBDH}}}InstanceIdentifier")][-1] == "SE"


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_document_inside_is_the_document_without_an_envelope(invoice, fmt):
    bare = fmt.write(invoice)
    content = enveloped(fmt, invoice)
    assert fmt.payload(content) == bare.split(b"\n", 1)[1].rstrip()
    assert content.count(b"<?xml") == 1
    assert fmt.payload(bare) == bare


def test_the_same_interchange_gives_the_same_bytes_and_another_id_others(invoice):
    again = replace(INTERCHANGE, instance_id="other")
    assert enveloped(PEPPOL, invoice) == enveloped(PEPPOL, invoice)
    assert enveloped(PEPPOL, invoice) != PEPPOL.write(invoice, PEPPOL.parameters({"envelope": "true"}, again))


def test_addresses_are_escaped(invoice):
    buyer = replace(invoice.buyer, endpoint=Participant("0088", "<&>"))
    root = etree.fromstring(enveloped(PEPPOL, replace(invoice, buyer=buyer)))
    assert root.findtext(f".//{{{SBDH}}}Receiver/{{{SBDH}}}Identifier") == "0088:<&>"


@pytest.mark.parametrize("party", ["seller", "buyer"])
def test_without_an_address_there_is_no_envelope(invoice, party):
    lost = replace(invoice, **{party: replace(getattr(invoice, party), endpoint=None)})
    assert PEPPOL.route(lost, {"envelope": True}) is None
    with pytest.raises(ValueError, match="electronic addresses"):
        wrap(b"<x/>", lost, PEPPOL_BIS_3.ids({}), INTERCHANGE)


@pytest.mark.parametrize("fmt", FORMATS)
def test_only_envelopes_are_numbered_between_sender_and_receiver(invoice, fmt):
    assert fmt.route(invoice, fmt.parameters({"envelope": "true"}).options) == ("0184:12345674", "0088:5798009811578")
    assert fmt.route(invoice, fmt.parameters().options) is None


def test_options_have_their_defaults_and_know_their_choices():
    assert PEPPOL.parameters().options == {"envelope": False}
    assert OIOUBL.parameters().options == {
        "profile": "urn:www.nesubl.eu:profiles:profile5:ver2.0", "customization": "OIOUBL-2.1", "envelope": False,
    }  # fmt: skip
    with pytest.raises(OptionsInvalid) as refused:
        OIOUBL.parameters({"profile": "urn:other", "customization": "OIOUBL-3.0"})
    assert set(refused.value.errors) == {"profile", "customization"}


def test_without_options_the_first_of_each_is_meant():
    assert OIOUBL_2_1.ids({}).document_type("Invoice") == f"{UBL}:Invoice-2::Invoice##OIOUBL-2.1::2.1"


# --- envelopes of others ---


def envelope(payload: str, header: str = "<StandardBusinessDocumentHeader/>", attributes: str = "") -> bytes:
    return f'<StandardBusinessDocument xmlns="{SBDH}"{attributes}>{header}{payload}</StandardBusinessDocument>'.encode()


@pytest.mark.parametrize(
    "payload",
    [
        '<Invoice xmlns="urn:x"> <ID>Å &amp; ☕</ID>\n</Invoice >',
        "<i:Invoice xmlns:i='urn:x' a='1 > 0'><!-- </i:Invoice> --><i:ID/></i:Invoice>",
        '<Invoice xmlns="urn:x" a="/>"/>',
        '<Invoice xmlns="urn:x"><![CDATA[</StandardBusinessDocument>]]></Invoice>',
    ],
)
def test_the_payload_comes_out_byte_for_byte(payload):
    for content in (
        envelope(payload),
        envelope(f"\n  {payload}\n"),
        b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by > -->\n' + envelope(payload),
    ):
        assert unwrap(content) == payload.encode()


def test_an_envelope_may_have_a_prefix():
    content = (
        f'<s:StandardBusinessDocument xmlns:s="{SBDH}"><s:StandardBusinessDocumentHeader/>'
        '<Invoice xmlns="urn:x"/></s:StandardBusinessDocument>'
    )
    assert unwrap(content.encode()) == b'<Invoice xmlns="urn:x"/>'


def test_namespaces_that_only_the_envelope_declares_are_taken_along():
    payload = '<i:Invoice xmlns:i="urn:i"><c:ID>1</c:ID></i:Invoice>'
    content = envelope(payload, attributes=' xmlns:c="urn:c?a=1&amp;b=2" xmlns:i="urn:other"')
    root = etree.fromstring(unwrap(content))
    assert [element.tag for element in root.iter()] == ["{urn:i}Invoice", "{urn:c?a=1&b=2}ID"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"UNB+UNOC:3", b"%PDF-1.7", b"<Invoice/>", b"<Invoice", "<Invoice/>".encode("utf-16"),
        b'<?xml version="1.0" encoding="ISO-8859-1"?><Invoice>\xe5</Invoice>',
        b"<StandardBusinessDocuments/>", b"<!-- <StandardBusinessDocument/> --><Invoice/>", b"<!-- ", b"<?a",
    ],
)  # fmt: skip
def test_what_is_no_envelope_comes_back_unchanged(content):
    assert unwrap(content) == content


DOCTYPE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "content",
    [
        DOCTYPE.encode() + envelope("<a>&e;</a>"),
        b'<?xml version="1.0"?><!-- -->' + DOCTYPE.encode() + b"<Invoice/>",
        envelope("<a>&e;</a>"),
        envelope(""),
        envelope("<a/><b/>"),
        envelope("<a/>text"),
        envelope("<a/>", header=""),
        envelope("<a/>", header="<Header/>"),
        envelope("<a/>")[:-5],
        envelope("<a></b>"),
        envelope("<u:a/>"),
        envelope("<a/>").replace(SBDH.encode(), b"urn:other"),
        b'<?xml version="1.0" encoding="ISO-8859-1"?>' + envelope("<a/>"),
        b'<?xml version="1.0" encoding="ISO-8859-1"?>' + envelope("<a>\u00e5</a>").decode().encode("latin-1"),
        b'<?xml version="1.0" encoding="no-such"?>' + envelope("<a/>"),
    ],
    ids=range(15),
)
def test_broken_envelopes_are_refused(content):
    with pytest.raises(Unreadable) as refused:
        unwrap(content)
    assert refused.value.text.da
    assert refused.value.text.en
