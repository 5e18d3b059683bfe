"""The mail as bytes."""

from __future__ import annotations

import email
import email.policy

import pytest

from invoiceapp.domain.file_names import FileName
from invoiceapp.gateways.base import Payload, Refused, Rejected
from invoiceapp.gateways.email.message import compose, message_id, recipients_of

CONFIG = {"sender": "faktura@firma.example", "with_pdf": True}


def parsed(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_headers_text_and_attachments_are_as_declared(consignment):
    one = consignment()
    mail = parsed(compose(one, CONFIG))
    assert mail["From"] == "Ærø Brød ApS <faktura@firma.example>"
    assert mail["To"] == "kreditor@kunde.example"
    assert mail["Subject"] == "Faktura 2026-17 fra Ærø Brød ApS"
    assert mail["Message-ID"] == f"<{one.key}@firma.example>"
    assert mail["Date"].datetime is not None
    assert "Til Kunde A/S" in mail.get_body().get_content()
    found = [(p.get_filename(), p.get_content_type(), p.get_payload(decode=True)) for p in mail.iter_attachments()]
    assert found == [
        ("invoice.xml", "application/xml", one.payload.content),
        ("faktura.pdf", "application/pdf", one.companions[0].content),
    ]


def test_the_wire_form_is_seven_bit_with_crlf(consignment):
    raw = compose(consignment(), CONFIG)
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


def test_a_credit_note_is_called_one(consignment):
    assert parsed(compose(consignment(document_type="creditNote"), CONFIG))["Subject"].startswith("Kreditnota 2026-17")


def test_the_pdf_stays_at_home_where_not_wanted(consignment):
    mail = parsed(compose(consignment(), CONFIG | {"with_pdf": False}))
    assert [p.get_filename() for p in mail.iter_attachments()] == ["invoice.xml"]


def test_the_message_id_is_stable_and_whole_with_a_long_domain(consignment):
    config = {"sender": "faktura@" + "lang." * 20 + "example"}
    one = consignment()
    raw = compose(one, config)
    assert raw.startswith(f"Message-ID: <{one.key}@{'lang.' * 20}example>\r\n".encode())
    assert message_id(one, config) == message_id(one, config) == parsed(raw)["Message-ID"]


def test_line_breaks_in_invoice_data_add_no_header(consignment):
    mail = parsed(compose(consignment(document_no="17\r\nBcc: evil@x.example", sender_name="A\nB"), CONFIG))
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Faktura 17 Bcc: evil@x.example fra A B"


@pytest.mark.parametrize("end", ["\x0b", "\x1c", "\x85", "\u2028", "\u2029", "\ud800"])
def test_odd_characters_of_an_invoice_neither_break_the_mail_nor_pause_the_gateway(consignment, end):
    odd = f"17{end}Bcc: evil@x.example"
    mail = parsed(compose(consignment(document_no=odd, sender_name=odd, receiver_name=odd), CONFIG))
    assert (mail["Bcc"], mail["Subject"]) == (None, "Faktura 17 Bcc: evil@x.example fra 17 Bcc: evil@x.example")


@pytest.mark.parametrize("changes", [{"subject": "Hej\r\nBcc: x@x.example"}, {"sender_name": "A\r\nBcc: x@x.example"}])
def test_line_breaks_in_settings_are_refused(consignment, changes):
    with pytest.raises(Refused):
        compose(consignment(), CONFIG | changes)


def test_a_value_that_looks_like_a_token_is_left_alone(consignment):
    mail = parsed(compose(consignment(document_no="{sender}"), CONFIG | {"subject": "Nr. {number}"}))
    assert mail["Subject"] == "Nr. {sender}"


@pytest.mark.parametrize(
    "address", [None, "", "a@b.example,c@d.example", "a@b.example c@d.example", "Navn <a@b.example>", "a@b.example\r\n"]
)
def test_a_customer_without_exactly_one_address_is_rejected(consignment, address):
    if address == "a@b.example\r\n":
        assert parsed(compose(consignment(receiver_email=address), CONFIG))["To"] == "a@b.example"
        return
    with pytest.raises(Rejected) as caught:
        compose(consignment(receiver_email=address), CONFIG)
    assert "e-mailadresse" in caught.value.text.da


def test_the_fixed_recipient_wins(consignment):
    config = CONFIG | {"recipient": "alle@kunde.example"}
    assert parsed(compose(consignment(receiver_email=None), config))["To"] == "alle@kunde.example"


def test_further_recipients_get_it_too(consignment):
    config = CONFIG | {"recipient_2": "b@kunde.example", "recipient_3": "c@kunde.example"}
    one = consignment()
    assert recipients_of(one, config) == ("kreditor@kunde.example", "b@kunde.example", "c@kunde.example")
    assert parsed(compose(one, config))["To"] == "kreditor@kunde.example, b@kunde.example, c@kunde.example"


def test_a_recipient_named_twice_gets_one_mail(consignment):
    config = CONFIG | {"recipient": "a@b.example", "recipient_2": "a@b.example"}
    assert recipients_of(consignment(), config) == ("a@b.example",)


def test_date_and_order_stand_where_the_document_has_them(consignment):
    config = CONFIG | {"subject": "{number} af {date}, ordre {order}"}
    names = FileName(values={"date": "2026-11-23", "order": "PO-7\r\nBcc: x@x.example"})
    assert parsed(compose(consignment(file_name=names), config))["Subject"] == (
        "2026-17 af 2026-11-23, ordre PO-7 Bcc: x@x.example"
    )
    assert parsed(compose(consignment(), config))["Subject"] == "2026-17 af , ordre "


def test_a_mail_beyond_the_setting_is_rejected_with_what_to_do(consignment):
    big = Payload(b"x" * 800_000, "faktura.pdf", "application/pdf")
    with pytest.raises(Rejected) as caught:
        compose(consignment(companions=(big,)), CONFIG | {"size_mb": 1})
    assert "1,00 MB" in caught.value.text.da
    assert "PDF" in caught.value.text.da
    assert compose(consignment(companions=(big,)), CONFIG | {"size_mb": 1, "with_pdf": False})
    assert compose(consignment(companions=(big,)), CONFIG)


@pytest.mark.parametrize("name", ["sender", "recipient", "recipient_2", "recipient_3"])
def test_two_addresses_in_the_settings_are_refused(consignment, name):
    with pytest.raises(Refused):
        compose(consignment(), CONFIG | {name: "a@b.example,c@d.example"})
