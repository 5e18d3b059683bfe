"""Against a real OpenSSH server; its failures against the demo server and a breaking proxy."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER, SftpServer
from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import parse_all
from invoiceapp.gateways.base import Payload, Refused, Rejected, Unavailable, Unknown, registry
from invoiceapp.gateways.sftp import TRANSPORT, SftpTransport, session

NAME = "invoice_2026-17_mfrggzdf.xml"


def demo_config(server: SftpServer, **changes: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "username": DEMO_USER,
        "password": DEMO_PASSWORD,
        "host_key": server.host_key,
    } | changes


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(500):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 5 s")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "STEP", 0.6)


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


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
    assert rules == ["IA-SFTP-HOST-KEY", "IA-SFTP-FILENAME"]
    assert SftpTransport.findings({"host_key": "SHA256:x"}) == []


@pytest.mark.server
def test_openssh_takes_the_file_and_the_receipt_proves_it(openssh, inbox, consignment):
    one = consignment()
    with SftpTransport(openssh.config()) as transport:
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
def test_the_pdf_lies_beside_it_where_wanted(openssh, inbox, consignment):
    with SftpTransport(openssh.config(with_pdf=True)) as transport:
        transport.send(consignment())
    assert sorted(p.suffix for p in inbox.iterdir()) == [".pdf", ".xml"]


@pytest.mark.server
def test_a_pdf_beside_a_pdf_gets_a_name_of_its_own(openssh, inbox, consignment):
    pdf = Payload(b"%PDF other", "x.pdf", "application/pdf")
    with SftpTransport(openssh.config(with_pdf=True)) as transport:
        transport.send(consignment(payload=pdf))
    assert len(list(inbox.iterdir())) == 2


@pytest.mark.server
def test_sending_again_finds_the_file_and_writes_nothing(openssh, inbox, consignment):
    with SftpTransport(openssh.config()) as transport:
        transport.send(consignment())
        before = (inbox / NAME).stat()
        receipt = transport.send(consignment())
    after = (inbox / NAME).stat()
    assert receipt.evidence["already_there"] is True
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.server
@pytest.mark.parametrize("other", [b"short", None], ids=["other size", "same size, other bytes"])
def test_another_file_of_that_name_is_left_alone(openssh, inbox, consignment, other):
    one = consignment()
    content = other or b"?" * len(one.payload.content)
    (inbox / NAME).write_bytes(content)
    with SftpTransport(openssh.config()) as transport, pytest.raises(Rejected):
        transport.send(one)
    assert [(p.name, p.read_bytes()) for p in inbox.iterdir()] == [(NAME, content)]


@pytest.mark.server
def test_another_file_of_that_name_is_replaced_where_wanted(openssh, inbox, consignment):
    (inbox / NAME).write_bytes(b"other")
    one = consignment()
    with SftpTransport(openssh.config(existing="replace")) as transport:
        transport.send(one)
    assert (inbox / NAME).read_bytes() == one.payload.content


@pytest.mark.server
def test_a_leftover_part_file_of_a_broken_attempt_is_overwritten(openssh, inbox, consignment):
    (inbox / f".mfrggzdf.{NAME}.part").write_bytes(b"x" * 100_000)
    with SftpTransport(openssh.config()) as transport:
        transport.send(consignment())
    assert [p.name for p in inbox.iterdir()] == [NAME]


@pytest.mark.server
def test_a_receiver_that_takes_files_away_is_not_looked_at(demo, consignment, monkeypatch):
    seen = []
    original = session.Session.size
    monkeypatch.setattr(
        session.Session, "size", lambda self, path, deadline: seen.append(path) or original(self, path, deadline)
    )
    with SftpTransport(demo_config(demo, consumes=True)) as transport:
        transport.send(consignment())
    assert seen == [f".mfrggzdf.{NAME}.part"]


@pytest.mark.server
@pytest.mark.parametrize("pin", ["", "SHA256:" + "A" * 43], ids=["not confirmed", "changed"])
def test_a_server_with_another_key_gets_no_password(demo, consignment, pin):
    with SftpTransport(demo_config(demo, host_key=pin)) as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert demo.host_key in caught.value.text.da
    assert demo.logins == 0


@pytest.mark.server
def test_a_pinned_rsa_key_is_found_beside_other_keys(openssh, inbox, consignment):
    pin = f"ssh-rsa {openssh.fingerprints['ssh-rsa']}"
    with SftpTransport(openssh.config(host_key=pin)) as transport:
        assert transport.send(consignment()).evidence["host_key"] == openssh.fingerprints["ssh-rsa"]


@pytest.mark.server
def test_a_server_without_the_pinned_key_type_is_refused(demo, consignment):
    config = demo_config(demo, host_key=f"ssh-rsa {demo.host_key}")
    with SftpTransport(config) as transport, pytest.raises(Refused):
        transport.send(consignment())


@pytest.mark.server
@pytest.mark.parametrize("changes", [{"username": "nobody-here"}, {"private_key": None, "password": "wrong"}])
def test_openssh_refusing_the_login_pauses_the_gateway(openssh, consignment, changes):
    with SftpTransport(openssh.config(**changes)) as transport, pytest.raises(Refused):
        transport.send(consignment())


@pytest.mark.server
def test_no_secret_is_told(demo, consignment):
    config = demo_config(demo, password="hemmelig-kode")
    with SftpTransport(config) as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    error = caught.value
    assert "hemmelig" not in f"{error} {error.detail} {error.text}"


def test_no_password_and_no_key_is_said_before_logging_in():
    with pytest.raises(Refused):
        session.log_in(None, {"username": "u"})


@pytest.mark.server
def test_a_missing_folder_is_a_wrong_setting(openssh, consignment):
    with SftpTransport(openssh.config(folder="/does/not/exist")) as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert "/does/not/exist" in caught.value.text.da


@pytest.mark.server
def test_many_sends_log_in_once(demo, consignment):
    with SftpTransport(demo_config(demo)) as transport:
        for number in range(5):
            transport.send(consignment(document_no=str(number)))
    assert demo.logins == 1
    assert len(list(demo.folder.iterdir())) == 5


@pytest.mark.server
def test_a_connection_that_broke_between_sends_is_opened_anew(demo, consignment):
    with SftpTransport(demo_config(demo)) as transport:
        transport.send(consignment(document_no="1"))
        demo.cut_connections()
        wait_until(lambda: not transport._session.is_open)
        transport.send(consignment(document_no="2"))
    assert demo.logins == 2


@pytest.mark.server
@pytest.mark.parametrize("existing", ["fail", "replace"])
def test_a_server_without_posix_rename_takes_the_file_once(demo, consignment, existing):
    demo.faults.no_posix_rename = True
    with SftpTransport(demo_config(demo, existing=existing)) as transport:
        transport.send(consignment())
        assert transport.send(consignment()).evidence["already_there"] is True
    assert [p.name for p in demo.folder.iterdir()] == [NAME]


@pytest.mark.server
def test_a_server_without_posix_rename_has_its_other_file_replaced_where_wanted(demo, consignment):
    demo.faults.no_posix_rename = True
    (demo.folder / NAME).write_bytes(b"other")
    one = consignment()
    with SftpTransport(demo_config(demo, existing="replace")) as transport:
        transport.send(one)
    assert [(p.name, p.read_bytes()) for p in demo.folder.iterdir()] == [(NAME, one.payload.content)]


@pytest.mark.server
@pytest.mark.parametrize("same", [True, False])
def test_a_name_taken_while_nobody_looked_is_judged_by_its_content(demo, consignment, same):
    one = consignment()
    (demo.folder / NAME).write_bytes(one.payload.content if same else b"other")
    with SftpTransport(demo_config(demo, consumes=True)) as transport:
        if same:
            transport.send(one)
            assert [p.name for p in demo.folder.iterdir()] == [NAME]
        else:
            with pytest.raises(Rejected):
                transport.send(one)


@pytest.mark.server
@pytest.mark.parametrize("existing", ["fail", "replace"])
def test_a_refused_rename_is_no_delivery(demo, consignment, existing):
    demo.faults.rename_refused = True
    with SftpTransport(demo_config(demo, existing=existing)) as transport, pytest.raises(Unavailable):
        transport.send(consignment())
    assert not (demo.folder / NAME).exists()


@pytest.mark.server
def test_a_full_disk_is_tried_again(demo, consignment):
    demo.faults.disk_full = True
    with SftpTransport(demo_config(demo)) as transport, pytest.raises(Unavailable):
        transport.send(consignment())
    demo.faults.disk_full = False
    with SftpTransport(demo_config(demo)) as transport:
        transport.send(consignment())
    assert [p.name for p in demo.folder.iterdir()] == [NAME]


@pytest.mark.server
@pytest.mark.parametrize("existing", ["fail", "replace"])
def test_a_lost_answer_to_the_rename_is_unknown_and_the_retry_finds_the_file(demo, consignment, existing):
    demo.faults.drop_after_rename = True
    with SftpTransport(demo_config(demo, existing=existing)) as transport:
        with pytest.raises(Unknown):
            transport.send(consignment())
        demo.faults.drop_after_rename = False
        assert transport.send(consignment()).evidence["already_there"] is True
    assert [p.name for p in demo.folder.iterdir()] == [NAME]


@pytest.mark.server
def test_a_connection_cut_in_the_upload_is_no_delivery(openssh, inbox, consignment, proxy):
    big = Payload(b"x" * 600_000, "invoice.xml", "application/xml")
    port = proxy(openssh.port, 200_000).port
    with SftpTransport(openssh.config(port=port)) as transport, pytest.raises(Unavailable):
        transport.send(consignment(payload=big))
    assert [p.name for p in inbox.iterdir()] == [f".mfrggzdf.{NAME}.part"]


@pytest.mark.server
@pytest.mark.usefixtures("impatient")
def test_a_server_that_stalls_in_the_upload_is_given_up(openssh, inbox, consignment, proxy):
    big = Payload(b"x" * 600_000, "invoice.xml", "application/xml")
    port = proxy(openssh.port, 200_000, stall=True).port
    with SftpTransport(openssh.config(port=port)) as transport, pytest.raises(Unavailable):
        transport.send(consignment(payload=big))
    assert not (inbox / NAME).exists()


@pytest.mark.server
@pytest.mark.usefixtures("impatient")
def test_a_server_that_never_greets_is_given_up(silent_port, consignment):
    config = {"host": "127.0.0.1", "port": silent_port, "username": "u", "password": "p", "host_key": "x"}
    with SftpTransport(config) as transport, pytest.raises(Unavailable):
        transport.send(consignment())


@pytest.mark.server
def test_a_used_up_deadline_is_no_delivery(demo, consignment, monkeypatch):
    monkeypatch.setattr(SftpTransport, "DEADLINE", 0)
    with SftpTransport(demo_config(demo)) as transport, pytest.raises(Unavailable):
        transport.send(consignment())
    assert demo.logins == 0


@pytest.mark.server
def test_nobody_listening_is_tried_again(consignment):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    config = {"host": "127.0.0.1", "port": free, "username": "u", "password": "p"}
    with SftpTransport(config) as transport, pytest.raises(Unavailable):
        transport.send(consignment())


@pytest.mark.server
def test_the_connection_test_passes_and_writes_nothing(openssh, inbox):
    steps = SftpTransport(openssh.config()).check()
    assert [step.ok for step in steps] == [True] * 4
    assert list(inbox.iterdir()) == []


@pytest.mark.server
@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"host_key": ""}, 2),
        ({"host_key": "SHA256:" + "A" * 43}, 2),
        ({"username": "nobody-here"}, 3),
        ({"folder": "/does/not/exist"}, 4),
        ({"folder": "/etc/passwd"}, 4),
    ],
)
def test_the_connection_test_stops_at_the_step_that_fails(openssh, changes, failing):
    steps = SftpTransport(openssh.config(**changes)).check()
    assert [step.ok for step in steps] == [True] * (failing - 1) + [False]


@pytest.mark.server
def test_the_connection_test_shows_the_fingerprint_to_confirm(openssh):
    last = SftpTransport(openssh.config(host_key=None)).check()[-1]
    assert f"ssh-ed25519 {openssh.fingerprints['ssh-ed25519']}" in last.detail.da


def test_a_password_key_and_passphrase_are_secret_fields():
    assert {f.name for f in SftpTransport.fields if f.secret} == {"password", "private_key", "passphrase"}


def test_the_help_lies_in_the_folder():
    folder = Path(session.__file__).parent
    assert all((folder / f"help.{language}.md").read_text(encoding="utf-8") for language in ("da", "en"))
