"""The mail as bytes."""

from __future__ import annotations

import email
import email.policy

import pytest

from invoiceapp.domain.fields import parse_all
from invoiceapp.gateways.base import Refused, Rejected
from invoiceapp.gateways.email.fields import FIELDS
from invoiceapp.gateways.email.message import compose, message_id

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


@pytest.mark.parametrize("name", ["sender", "recipient"])
def test_two_addresses_in_the_settings_are_refused(consignment, name):
    with pytest.raises(Refused):
        compose(consignment(), CONFIG | {name: "a@b.example,c@d.example"})


@pytest.mark.parametrize("template", ["{nummer}", "{number.__class__}", "{", "{}"])
def test_the_form_refuses_unknown_tokens(template):
    raw = {"host": "h", "sender": "a@b.example", "subject": template, "body": template}
    _, errors = parse_all(FIELDS, raw)
    assert set(errors) == {"subject", "body"}


def test_the_form_gives_the_defaults():
    values, errors = parse_all(FIELDS, {"host": "h", "sender": "a@b.example"})
    assert errors == {}
    assert (values["port"], values["security"], values["with_pdf"]) == (587, "starttls", True)
    assert values["subject"] == "{type} {number} fra {sender}"
