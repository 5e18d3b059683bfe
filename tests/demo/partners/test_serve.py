"""The demo partners and what they keep."""

from __future__ import annotations

import hashlib
import smtplib
from email.message import EmailMessage

import paramiko
import pytest

from invoiceapp.demo.partners import serve_partners
from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER, host_key_at

XML = b"<Invoice>\xc3\xa6</Invoice>"


@pytest.fixture
def partners(tmp_path):
    with serve_partners(tmp_path) as running:
        yield running


def upload(partners, name, content, password=DEMO_PASSWORD):
    with paramiko.Transport(("127.0.0.1", partners.sftp_port)) as ssh:
        ssh.connect(username=DEMO_USER, password=password)
        with paramiko.SFTPClient.from_transport(ssh).open(name, "wb") as file:
            file.write(content)


def mail(partners, *contents):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@a.example", "b@b.example", "Faktura"
    message.set_content("Hej")
    for number, content in enumerate(contents):
        message.add_attachment(content, maintype="application", subtype="xml", filename=f"{number}.xml")
    with smtplib.SMTP("127.0.0.1", partners.smtp_port, timeout=5) as smtp:
        smtp.send_message(message)


@pytest.mark.server
def test_files_and_attachments_are_listed_with_their_hash_newest_first(partners):
    upload(partners, "invoice_1.xml", XML)
    mail(partners, XML, b"%PDF")
    found = partners.arrivals.all()
    assert [(a.kind, a.name, a.size) for a in found] == [
        ("email", "1.xml", 4),
        ("email", "0.xml", len(XML)),
        ("sftp", "invoice_1.xml", len(XML)),
    ]
    assert found[1].sha256 == found[2].sha256 == hashlib.sha256(XML).hexdigest()


@pytest.mark.server
def test_the_same_mail_twice_is_two_arrivals(partners):
    mail(partners, XML)
    mail(partners, XML)
    assert len(partners.arrivals.all()) == 2


@pytest.mark.server
def test_unfinished_files_have_not_arrived(partners):
    upload(partners, ".invoice.xml.part", XML)
    assert partners.arrivals.all() == []


@pytest.mark.server
def test_a_wrong_password_is_refused(partners):
    with pytest.raises(paramiko.AuthenticationException):
        upload(partners, "x.xml", XML, password="wrong")
    assert partners.arrivals.all() == []


@pytest.mark.server
def test_nobody_leaves_the_folder(partners, tmp_path):
    upload(partners, "../../escaped.xml", XML)
    assert not (tmp_path / "escaped.xml").exists()
    assert (tmp_path / "sftp" / "escaped.xml").exists()


@pytest.mark.server
def test_closing_gives_the_ports_back(tmp_path):
    first = serve_partners(tmp_path)
    first.close()
    with serve_partners(tmp_path, sftp_port=first.sftp_port, smtp_port=first.smtp_port) as second:
        assert second.sftp_port == first.sftp_port


@pytest.mark.server
def test_the_host_key_outlives_a_restart(tmp_path):
    with serve_partners(tmp_path) as first, serve_partners(tmp_path) as second:
        assert first.host_key == second.host_key
    assert (tmp_path / "host_key").stat().st_mode & 0o077 == 0


def test_every_folder_has_its_own_host_key(tmp_path):
    assert host_key_at(tmp_path / "one") != host_key_at(tmp_path / "two")
