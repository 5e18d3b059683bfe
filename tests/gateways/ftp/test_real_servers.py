"""Against vsftpd and ProFTPD with their defaults for TLS."""

from __future__ import annotations

import hashlib

import pytest
from support.outbound import LOOPBACK

from invoiceapp.gateways.base import Refused, Unavailable
from invoiceapp.gateways.ftp import FtpTransport

pytestmark = pytest.mark.server

NAME = "invoice_2026-17_mfrggzdf.xml"


def names(server):
    return sorted(path.name for path in server.inbox.iterdir())


def test_the_file_arrives_and_the_receipt_proves_it(real, consignment, authority):
    one = consignment()
    with FtpTransport(real.config(), LOOPBACK) as transport:
        receipt = transport.send(one)
    assert (real.inbox / NAME).read_bytes() == one.payload.content
    assert names(real) == [NAME]
    assert receipt.proves_arrival
    assert receipt.final
    assert receipt.reference == f"{real.settings['folder']}/{NAME}"
    assert receipt.evidence["size"] == len(one.payload.content)
    assert receipt.evidence["sha256"] == hashlib.sha256(one.payload.content).hexdigest()
    assert receipt.evidence["proved_by"] == "SIZE"
    assert receipt.evidence["already_there"] is False
    assert [receipt.evidence["replies"][command][:3] for command in ("STOR", "RNTO")] == ["226", "250"]
    assert transport.seen == {"certificate_ends": authority.ends.isoformat()}


def test_data_continue_the_encryption_of_the_commands(proftpd, proftpd_tls12, vsftpd, consignment):
    versions = []
    for server in (proftpd, proftpd_tls12, vsftpd):
        with FtpTransport(server.config(), LOOPBACK) as transport:
            versions.append(transport.send(consignment(document_no="tls")).evidence["encryption"])
    assert versions[:2] == ["TLSv1.3", "TLSv1.2"]
    assert versions[2] in ("TLSv1.2", "TLSv1.3")


def test_many_files_go_over_one_login(real, consignment):
    with FtpTransport(real.config(with_pdf=True), LOOPBACK) as transport:
        for number in range(20):
            transport.send(consignment(document_no=str(number)))
    assert len(names(real)) == 40
    assert not [name for name in names(real) if name.endswith(".part")]


def test_a_retry_finds_its_own_file(real, consignment):
    for expected in (False, True):
        with FtpTransport(real.config(), LOOPBACK) as transport:
            receipt = transport.send(consignment())
        assert receipt.evidence["already_there"] is expected
    assert names(real) == [NAME]
    assert receipt.evidence["proved_by"] == "RETR"


def test_a_leftover_of_a_broken_attempt_is_in_nobodys_way(real, consignment):
    leftover = real.inbox / f".mfrggzdf.{NAME}.part"
    leftover.write_bytes(b"x" * 100_000)
    leftover.chmod(0o666)
    with FtpTransport(real.config(), LOOPBACK) as transport:
        transport.send(consignment())
    assert names(real) == [NAME]
    assert (real.inbox / NAME).read_bytes() == consignment().payload.content


@pytest.mark.parametrize("existing", ["replace", "suffix"])
def test_another_file_of_that_name_is_treated_as_the_settings_say(real, consignment, existing):
    (real.inbox / NAME).write_bytes(b"other")
    with FtpTransport(real.config(existing=existing), LOOPBACK) as transport:
        receipt = transport.send(consignment())
    if existing == "replace":
        assert names(real) == [NAME]
    else:
        assert (real.inbox / NAME).read_bytes() == b"other"
        assert receipt.reference.endswith("_2.xml")
    assert (real.inbox / receipt.reference.rpartition("/")[2]).read_bytes() == consignment().payload.content


@pytest.mark.parametrize(
    ("changes", "word"), [({"password": "forkert-kode"}, "login"), ({"folder": "/nowhere"}, "/nowhere")]
)
def test_wrong_settings_are_refused(real, consignment, changes, word):
    with FtpTransport(real.config(**changes), LOOPBACK) as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert word in caught.value.text.da
    assert "forkert-kode" not in f"{caught.value} {caught.value.detail} {caught.value.text}"


def test_a_folder_that_may_only_be_read_is_refused(real, consignment):
    folder = real.settings["folder"].replace("in", "read-only")
    with FtpTransport(real.config(folder=folder), LOOPBACK) as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert folder in caught.value.text.en


def test_a_folder_with_other_letters_is_found(real, consignment):
    folder = real.inbox / "Årets fakturaer – ø"
    folder.mkdir()
    try:
        folder.chmod(0o777)
        with FtpTransport(real.config(folder=f"{real.settings['folder']}/{folder.name}"), LOOPBACK) as transport:
            transport.send(consignment())
        assert (folder / NAME).exists()
    finally:
        for path in (*folder.iterdir(), folder):
            path.rmdir() if path.is_dir() else path.unlink()


def test_a_certificate_of_nobody_we_trust_gets_no_password(real, consignment):
    with FtpTransport(real.config(ca_certificate=None), LOOPBACK) as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert "certifikat" in caught.value.text.da
    assert names(real) == []


def test_a_server_that_wants_encryption_refuses_without_it(real, consignment):
    with FtpTransport(real.config(security="none"), LOOPBACK) as transport, pytest.raises(Refused):
        transport.send(consignment())


def test_last_words_in_clear_on_an_encrypted_connection_are_no_fault_of_our_settings(start_vsftpd, consignment):
    broken = start_vsftpd(anon_root="/does/not/exist")
    with FtpTransport(broken.config(), LOOPBACK) as transport, pytest.raises(Unavailable):
        transport.send(consignment())


def test_implicit_encryption_delivers(implicit_vsftpd, consignment, authority):
    with FtpTransport(implicit_vsftpd.config(security="implicit"), LOOPBACK) as transport:
        receipt = transport.send(consignment())
    assert (implicit_vsftpd.inbox / NAME).read_bytes() == consignment().payload.content
    assert receipt.evidence["encryption"].startswith("TLSv1.")
    assert transport.seen["certificate_ends"] == authority.ends.isoformat()


def test_implicit_encryption_where_the_server_begins_in_clear_is_a_wrong_setting(vsftpd, consignment):
    with FtpTransport(vsftpd.config(security="implicit"), LOOPBACK) as transport, pytest.raises(Refused):
        transport.send(consignment())


def test_the_connection_test_does_all_but_sending_and_leaves_nothing(real, authority):
    transport = FtpTransport(real.config(), LOOPBACK)
    steps = transport.check()
    assert [(step.ok, step.detail.en) for step in steps if not step.ok] == []
    assert len(steps) == 6
    assert names(real) == []
    assert transport.seen == {"certificate_ends": authority.ends.isoformat()}


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"ca_certificate": None}, 3),
        ({"ca_certificate": "no certificate"}, 3),
        ({"password": "wrong"}, 4),
        ({"folder": "/nowhere"}, 5),
        ({"folder": "/read-only"}, 6),
    ],
)
def test_the_connection_test_stops_at_the_step_that_fails(vsftpd, changes, failing):
    steps = FtpTransport(vsftpd.config(**changes), LOOPBACK).check()
    assert [step.ok for step in steps] == [True] * (failing - 1) + [False]
