"""Four kinds of ApplicationResponse through one reader; strangers write them, so nothing odd may break it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import responses as written

from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import Unreadable, registry
from invoiceapp.formats.responses import By, Kind, Says, explained, is_response, read_response, uuid_of
from invoiceapp.formats.responses.reader import LARGEST, LONGEST_TEXT, MOST_ENTRIES
from invoiceapp.formats.ubl.oioubl import document_uuid


@pytest.mark.parametrize(
    ("kind", "code", "read", "says", "by"),
    [
        (written.OIOUBL, "TechnicalAccept", Kind.OIOUBL, Says.RECEIVED, By.RECEIVER_SYSTEM),
        (written.OIOUBL, "TechnicalReject", Kind.OIOUBL, Says.NOT_DELIVERED, By.RECEIVER_SYSTEM),
        (written.OIOUBL, "ProfileAccept", Kind.OIOUBL, Says.RECEIVED, By.RECEIVER_SYSTEM),
        (written.OIOUBL, "ProfileReject", Kind.OIOUBL, Says.WRONG_PROFILE, By.RECEIVER_SYSTEM),
        (written.OIOUBL, "BusinessAccept", Kind.OIOUBL, Says.ACCEPTED, By.BUYER),
        (written.OIOUBL, "BusinessReject", Kind.OIOUBL, Says.REJECTED, By.BUYER),
        (written.INVOICE_RESPONSE, "AB", Kind.INVOICE_RESPONSE, Says.RECEIVED, By.RECEIVER_SYSTEM),
        (written.INVOICE_RESPONSE, "IP", Kind.INVOICE_RESPONSE, Says.IN_PROCESS, By.BUYER),
        (written.INVOICE_RESPONSE, "UQ", Kind.INVOICE_RESPONSE, Says.UNDER_QUERY, By.BUYER),
        (written.INVOICE_RESPONSE, "CA", Kind.INVOICE_RESPONSE, Says.CONDITIONAL, By.BUYER),
        (written.INVOICE_RESPONSE, "RE", Kind.INVOICE_RESPONSE, Says.REJECTED, By.BUYER),
        (written.INVOICE_RESPONSE, "AP", Kind.INVOICE_RESPONSE, Says.ACCEPTED, By.BUYER),
        (written.INVOICE_RESPONSE, "PD", Kind.INVOICE_RESPONSE, Says.PAID, By.BUYER),
        (written.MLR, "AB", Kind.MLR, Says.RECEIVED, By.NETWORK),
        (written.MLR, "AP", Kind.MLR, Says.RECEIVED, By.NETWORK),
        (written.OIOUBL_3_MLR, "RE", Kind.MLR, Says.NOT_DELIVERED, By.NETWORK),
        (written.MLS, "AB", Kind.MLS, Says.PASSED_ON, By.NETWORK),
        (written.MLS, "AP", Kind.MLS, Says.RECEIVED, By.NETWORK),
        (written.MLS, "RE", Kind.MLS, Says.NOT_DELIVERED, By.NETWORK),
        (written.MLS, "ZZ", Kind.MLS, Says.UNCLEAR, By.RECEIVER_SYSTEM),
    ],
)
def test_each_code_of_each_kind_has_its_meaning_and_its_speaker(kind, code, read, says, by):
    found = read_response(written.response(code, kind=kind))
    assert (found.kind, found.code, found.says, found.by) == (read, code, says, by)
    assert explained(found).da and explained(found).en
    assert "{" not in explained(found).da + explained(found).en


def test_what_an_oioubl_response_names_is_read():
    found = read_response(
        written.response(
            "BusinessReject", uuid="9756B4D0-8815-1029-857A-E388FE63F399", type_code="CreditNote", time="10:15:00+01:00",
            sender=("GLN", "5798009811578"), texts=("Rabatten mangler.", "Ring til os."),
        )
    )  # fmt: skip
    assert (found.id, found.reference, found.issued) == ("R-1", "1001", "2026-11-03T10:15:00+01:00")
    assert (found.document_date, found.document_type) == (date(2026, 11, 2), DocumentType.CREDIT_NOTE)
    assert found.document_uuid == "9756b4d0-8815-1029-857a-e388fe63f399"
    assert (found.sender, found.sender_name) == (Participant("0088", "5798009811578"), "Fjordby Kommune")
    assert explained(found).da.startswith("Køber siger nej: »Rabatten mangler; Ring til os«.")


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        (("GLN", "5798009811578"), "0088:5798009811578"),
        (("DK:CVR", "DK16356706"), "0184:16356706"),
        (("DK:SE", "DK16356706"), "0198:DK16356706"),
        (("DK:P", "1234567890"), "0096:1234567890"),
        (("0242", "000123"), "0242:000123"),
        (("ZZZ", "x"), "ZZZ:x"),
    ],
)
def test_oioubls_names_of_schemes_become_codes_of_the_network(stated, read):
    assert str(read_response(written.response(sender=stated)).sender) == read


def test_reasons_actions_and_right_values_are_told_in_both_languages():
    statuses = (
        written.status("NON") + written.status("PRI", "Aftalt 800 kr.") + written.status("NIN", action=True)
        + written.status("REF", condition=("BT-13", "PO-77")) + written.status("XYZ", "Noget andet")
    )  # fmt: skip
    found = read_response(written.invoice_response("RE", statuses=statuses))
    assert [(one.code, one.text.en) for one in found.reasons] == [
        ("PRI", "The prices: Aftalt 800 kr."),
        ("NIN", "Issue a new invoice"),
        ("REF", "References are missing or wrong: BT-13: PO-77"),
        ("XYZ", "XYZ: Noget andet"),
    ]
    assert found.reasons[1].text.da == "Send en ny faktura"


def test_paid_in_part_is_not_paid():
    assert read_response(written.invoice_response("PD", statuses=written.status("PPD"))).says is Says.PARTLY_PAID


@pytest.mark.parametrize("kind", [written.MLR, written.MLS])
def test_a_message_level_answer_names_the_message_and_the_places_that_are_wrong(kind):
    lines = written.line("/Invoice/cbc:ID", "BR-02 er brudt", "BV") + written.line("NA", "Kunne ikke afleveres", "FD")
    found = read_response(written.message_response("RE", "4f2b-77", kind=kind, lines=lines, texts=("Afvist",)))
    assert found.names_message and found.reference == "4f2b-77"
    assert [(one.place, one.code, one.text.en) for one in found.lines] == [
        ("/Invoice/cbc:ID", "BV", "A rule is broken: BR-02 er brudt"),
        ("NA", "FD", "Could not be handed over: Kunne ikke afleveres"),
    ]
    assert "(/Invoice/cbc:ID)" in explained(found).en


def test_what_is_missing_or_nonsense_is_left_open():
    content = written.response(
        kind=f" {written.INVOICE_RESPONSE}\n", code="AP", date="2026-13-45", type_code="Order", sender=None,
        sender_name=None, time="noon",
    )  # fmt: skip
    found = read_response(content)
    assert (found.document_date, found.document_type, found.document_uuid) == (None, None, None)
    assert (found.sender, found.sender_name, found.issued) == (None, "", "2026-11-03")


def test_texts_and_lists_are_capped_and_comments_cut_nothing():
    found = read_response(written.response("BusinessReject", texts=("x" * 9_000, *map(str, range(200)))))
    assert len(found.reasons) == MOST_ENTRIES and len(found.reasons[0].text.da) == LONGEST_TEXT
    assert len(explained(found).da) < 5_000
    commented = written.response(reference="10<!-- -->01")
    assert read_response(commented).reference == "1001"


ENTITY = b'<!DOCTYPE a [<!ENTITY b "boom">]>'


@pytest.mark.parametrize(
    "content",
    [
        b"", b"garbage", b"<ApplicationResponse/>", b"<Invoice xmlns='urn:oasis:names:specification:ubl:schema:xsd:Invoice-2'/>",
        ENTITY + written.response().partition(b"?>")[2], written.response() + b" " * LARGEST, written.response()[:-5],
        '<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16"),
    ],
)  # fmt: skip
def test_what_is_no_response_is_none(content):
    assert not is_response(content)
    with pytest.raises(Unreadable):
        read_response(content)


@pytest.mark.parametrize(
    "content",
    [
        written.response(kind="urn:something:else"),
        written.response(code=None),
        written.response(reference=""),
        written.response(repeat=0),
        written.response(repeat=2),
    ],
)
def test_a_response_that_says_nothing_certain_is_unreadable_and_says_why(content):
    assert is_response(content)
    with pytest.raises(Unreadable) as refused:
        read_response(content)
    assert refused.value.text.da and refused.value.text.en


@given(cut=st.integers(0, 1500), put=st.binary(max_size=20))
def test_whatever_is_broken_is_read_or_refused(cut, put):
    content = written.invoice_response("RE", statuses=written.status("PRI", "Pris"), lines=written.line("1", "x", "SV"))
    broken = content[:cut] + put + content[cut + len(put) :]
    try:
        found = read_response(broken)
    except Unreadable:
        return
    assert found.to_dict()["response"] == found.kind.value


def test_the_uuid_of_a_document_of_ours_is_found_in_its_head(make_invoice):
    invoice = make_invoice()
    assert uuid_of(registry()["oioubl-2.1"].write(invoice)) == document_uuid(invoice)
    assert uuid_of(registry()["peppol-bis-3"].write(invoice)) is None
