from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from support.mailing import received

from invoiceapp.config import MailServer
from invoiceapp.demo.partners.smtp_server import SmtpFaults, SmtpServer
from invoiceapp.domain.findings import Text
from invoiceapp.models import Mail, db
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.sign_in import account_mail


@pytest.fixture
def server(app: Flask, tmp_path: Path) -> Iterator[SmtpServer]:
    running = SmtpServer(tmp_path / "mails", faults=SmtpFaults())
    mail = MailServer("127.0.0.1", running.port, "none", "faktura@firma.example", "Faktura")
    object.__setattr__(app.extensions["invoiceapp.config"], "mail", mail)
    yield running
    running.close()


@pytest.mark.server
@pytest.mark.parametrize(("language", "subject"), [("da", "Bekræft din e-mail"), ("en", "Confirm your e-mail")])
def test_a_mail_leaves_at_once_in_the_receivers_language_and_is_stored_nowhere(server, tmp_path, language, subject):
    account_mail.send_confirmation("ny@example.com", language, "http://localhost/account/email/token")
    (found,) = received(tmp_path / "mails")
    assert (found["To"], found["Subject"]) == ("ny@example.com", subject)
    for kind in ("plain", "html"):
        assert "http://localhost/account/email/token" in found.get_body([kind]).get_content()
    assert db.session.query(Mail).count() == 0


@pytest.mark.server
def test_what_others_have_written_adds_no_header_and_no_markup(server, tmp_path):
    evil = "Firma\r\nBcc: alle@example.com <b>"
    account_mail.write("ny@example.com", "da", Text(evil, evil), [Text("<b>Hej</b>", "<b>Hi</b>")])
    (found,) = received(tmp_path / "mails")
    assert found["Bcc"] is None
    assert "&lt;b&gt;Hej" in found.get_body(["html"]).get_content()


@pytest.mark.server
@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (SmtpFaults(data="554 5.7.1 Not wanted"), "did not accept"),
        (SmtpFaults(data="452 4.3.1 Disk full"), "cannot be reached"),
    ],
)
def test_a_mail_that_was_not_taken_is_said_in_words(server, faults, words):
    server.faults.data = faults.data
    with pytest.raises(ServiceError, match=words):
        account_mail.send("ny@example.com", "Emne", "Tekst", "<p>Tekst</p>")


def test_without_a_mail_server_it_is_said_who_can_set_one_up(app):
    with pytest.raises(ServiceError, match="whoever runs the server"):
        account_mail.send("ny@example.com", "Emne", "Tekst", "<p>Tekst</p>")


@pytest.mark.server
def test_an_address_that_no_mail_can_be_written_to_is_refused(server):
    with pytest.raises(ServiceError, match="cannot be used"):
        account_mail.send("bjørn@example.com", "Emne", "Tekst", "<p>Tekst</p>")
