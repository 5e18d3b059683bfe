"""The form, and sending to a real OpenSSH server and to the demo server."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import parse_all
from invoiceapp.gateways.base import Refused, registry
from invoiceapp.gateways.sftp import TRANSPORT, SftpTransport, session
from invoiceapp.outbound.guard import Guard

NAME = "invoice_2026-17_mfrggzdf.xml"


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(500):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 5 s")


def test_the_registry_finds_it():
    assert registry()["sftp"] is TRANSPORT is SftpTransport


def test_its_form_gives_the_defaults():
    values, errors = parse_all(SftpTransport.fields, {"host": "sftp.firma.dk", "username": "u"})
    assert errors == {}
    assert (values["port"], values["folder"], values["existing"], values["consumes"]) == (22, ".", "fail", False)
    assert values["filename"] == "{type}_{number}_{key8}"


@pytest.mark.parametrize("name", ["../{number}", "{number}/x", "{type}", "{number.real}", ".{number}", "{number}\\x"])
def test_an_unsafe_or_constant_file_name_is_refused_by_the_form(name):
    _, errors = parse_all(SftpTransport.fields, {"host": "h", "username": "u", "filename": name})
    assert set(errors) == {"filename"}


@pytest.mark.parametrize(("consumes", "replay"), [(False, Replay.SAFE), (True, Replay.UNSAFE)])
def test_replay_is_safe_unless_the_receiver_takes_files_away(consumes, replay):
    assert SftpTransport({"consumes": consumes}).replay is replay


def test_the_wire_id_is_the_file_name_and_stays_the_same(consignment):
    ids = [SftpTransport({}).wire_ids(consignment()) for _ in range(2)]
    assert ids == [{"filename": NAME}] * 2


def test_findings_name_an_unconfirmed_server_and_names_that_may_collide():
    rules = [f.rule for f in SftpTransport.findings({"filename": "{number}"})]
    assert rules == ["IA-SFTP-HOST-KEY", "IA-FILENAME-SHARED"]
    assert SftpTransport.findings({"host_key": "SHA256:x"}) == []


@pytest.mark.server
def test_openssh_takes_the_file_and_the_receipt_proves_it(at_openssh, openssh, inbox, consignment):
    one = consignment()
    with at_openssh() as transport:
        receipt = transport.send(one)
    assert [p.name for p in inbox.iterdir()] == [NAME]
    assert (inbox / NAME).read_bytes() == one.payload.content
    assert receipt.reference == f"{inbox}/{NAME}"
    assert receipt.proves_arrival
    assert receipt.final
    assert receipt.evidence == {
        "path": f"{inbox}/{NAME}",
        "size": len(one.payload.content),
        "sha256": hashlib.sha256(one.payload.content).hexdigest(),
        "host_key": openssh.fingerprints["ssh-ed25519"],
        "server": receipt.evidence["server"],
        "already_there": False,
    }
    assert receipt.evidence["server"].startswith("SSH-2.0-OpenSSH")


@pytest.mark.server
@pytest.mark.parametrize("changes", [{"username": "nobody-here"}, {"private_key": None, "password": "wrong"}])
def test_openssh_refusing_the_login_pauses_the_gateway(at_openssh, consignment, changes):
    with at_openssh(**changes) as transport, pytest.raises(Refused):
        transport.send(consignment())


@pytest.mark.server
def test_no_secret_is_told(at_demo, consignment):
    with at_demo(password="hemmelig-kode") as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    error = caught.value
    assert "hemmelig" not in f"{error} {error.detail} {error.text}"


def test_no_password_and_no_key_is_said_before_logging_in():
    with pytest.raises(Refused):
        session.log_in(None, {"username": "u"})


@pytest.mark.server
def test_a_missing_folder_is_a_wrong_setting(at_openssh, consignment):
    with at_openssh(folder="/does/not/exist") as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert "/does/not/exist" in caught.value.text.da


@pytest.mark.server
def test_many_sends_log_in_once(at_demo, demo, consignment):
    with at_demo() as transport:
        for number in range(5):
            transport.send(consignment(document_no=str(number)))
    assert demo.logins == 1
    assert len(list(demo.folder.iterdir())) == 5


@pytest.mark.server
def test_a_connection_that_broke_between_sends_is_opened_anew(at_demo, demo, consignment):
    with at_demo() as transport:
        transport.send(consignment(document_no="1"))
        demo.cut_connections()
        wait_until(lambda: not transport._session.is_open)
        transport.send(consignment(document_no="2"))
    assert demo.logins == 2


def test_a_password_key_and_passphrase_are_secret_fields():
    assert {f.name for f in SftpTransport.fields if f.secret} == {"password", "private_key", "passphrase"}


def test_the_help_lies_in_the_folder():
    folder = Path(session.__file__).parent
    assert all((folder / f"help.{language}.md").read_text(encoding="utf-8") for language in ("da", "en"))


def test_a_key_stays_when_the_server_changes_but_a_password_does_not():
    assert {f.name for f in SftpTransport.fields if f.is_kept_here} == {"private_key", "passphrase"}


def test_fields_of_one_group_stand_together():
    headings = [f.group.en for f in SftpTransport.fields]
    assert list(dict.fromkeys(headings)) == ["Server", "Login", "Files and folders", "Rarely needed"]
    assert headings == sorted(headings, key=list(dict.fromkeys(headings)).index)


@pytest.mark.parametrize(("secrets", "wrong"), [(set(), True), ({"password"}, False), ({"private_key"}, False)])
def test_a_login_without_password_and_key_can_never_work(secrets, wrong):
    assert bool(SftpTransport.problems({}, secrets)) is wrong


@pytest.mark.server
def test_an_address_inside_is_refused_and_nothing_is_connected(demo, at_demo, consignment):
    with at_demo() as transport:
        transport.guard = Guard()
        with pytest.raises(Refused) as caught:
            transport.send(consignment())
    assert "OUTBOUND_NETWORKS" in caught.value.text.da
    assert demo._connections == []


def test_a_port_of_another_service_is_refused(consignment):
    config = {"host": "127.0.0.1", "port": 5432, "username": "u", "password": "p"}
    with SftpTransport(config) as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert "OUTBOUND_PORTS" in caught.value.text.da


@pytest.mark.server
def test_a_server_with_only_broken_ciphers_is_refused(openssh_with, consignment):
    server = openssh_with("Ciphers aes256-cbc,3des-cbc")
    with server.transport() as transport, pytest.raises(Refused):
        transport.send(consignment())
