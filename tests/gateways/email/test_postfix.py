"""Against Postfix, the mail server that many companies run: STARTTLS, its size limit, its way of saying no."""

from __future__ import annotations

import email
import email.policy
import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.outbound import LOOPBACK

from invoiceapp.gateways.base import Payload, Refused, Rejected, Unavailable, Unknown
from invoiceapp.gateways.email import EmailTransport

POSTFIX = Path("/usr/sbin/postfix")
pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not POSTFIX.exists() or os.getuid() != 0, reason="needs Postfix, and root to start it"),
]

LARGEST = 300_000
_MAIN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
myhostname = mail.test.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
message_size_limit = {largest}
maillog_file = {home}/log
maillog_file_prefixes = {home}
alias_maps =
local_recipient_maps =
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {tls}/cert.pem
smtpd_tls_key_file = {tls}/key.pem
smtpd_sender_restrictions = check_sender_access inline:{{stranger@firma.example=reject}}
smtpd_recipient_restrictions =
    check_recipient_access inline:{{gone@kunde.example=reject, later@kunde.example=defer}}, permit_mynetworks, reject
smtpd_delay_reject = no
smtpd_error_sleep_time = 0
virtual_mailbox_domains = kunde.example
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
default_transport = error:no further than here
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass
class Postfix:
    port: int
    folder: Path

    def received(self, count: int) -> list[Any]:
        """Waits for so many mails: Postfix answers before it delivers."""
        for _ in range(100):
            found = sorted((self.folder / "all/new").glob("*"))
            if len(found) >= count:
                break
            time.sleep(0.05)
        return [email.message_from_bytes(one.read_bytes(), policy=email.policy.default) for one in found]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _run(config: Path, command: str) -> None:
    subprocess.run([POSTFIX, "-c", config, command], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def started(authority):
    # Not below tmp_path, where the user "postfix" may not go.
    home = Path(tempfile.mkdtemp(prefix="postfix-"))
    home.chmod(0o755)
    config, mail = home / "etc", home / "mail"
    for folder in (config, mail, home / "queue", home / "data"):
        folder.mkdir()
    shutil.chown(home / "data", "postfix")
    shutil.chown(mail, 65534, 65534)
    tls = shutil.copytree(authority.folder, home / "tls")
    port = _free_port()
    main = _MAIN.format(home=home, tls=tls, largest=LARGEST)
    (config / "main.cf").write_text(main)
    (config / "master.cf").write_text(_MASTER.format(port=port))
    try:
        _run(config, "start")
        yield Postfix(port, mail)
    finally:
        _run(config, "stop")
        shutil.rmtree(home)


@pytest.fixture
def postfix(started):
    shutil.rmtree(started.folder / "all", ignore_errors=True)
    return started


@pytest.fixture
def gateway(postfix, authority):
    def make(**changes):
        config = {
            "host": "127.0.0.1", "port": postfix.port, "security": "starttls", "ca_certificate": authority.root,
            "auth": "none", "sender": "faktura@firma.example",
        }  # fmt: skip
        made.append(EmailTransport(config | changes, LOOPBACK))
        return made[-1]

    made = []
    yield make
    for one in made:
        one.close()


def test_a_mail_is_taken_and_delivered_as_it_was_written(gateway, postfix, consignment):
    one = consignment()
    receipt = gateway(recipient_2="to@kunde.example", body="Hej\n.\n..to\nslut").send(one)
    assert receipt.evidence["reply"].startswith("250 2.0.0 Ok: queued as ")
    first, second = postfix.received(2)
    assert first["Message-ID"] == second["Message-ID"] == receipt.reference
    assert {first["X-Original-To"], second["X-Original-To"]} == {"kreditor@kunde.example", "to@kunde.example"}
    assert [part.get_payload(decode=True) for part in first.iter_attachments()] == [
        one.payload.content, one.companions[0].content,
    ]  # fmt: skip
    assert first.get_body().get_content() == "Hej\n.\n..to\nslut\n"


def test_many_mails_go_over_one_connection(gateway, postfix, consignment):
    one = gateway()
    for number in range(5):
        one.send(consignment(key=f"key-{number}"))
    assert {mail["Message-ID"] for mail in postfix.received(5)} == {f"<key-{n}@firma.example>" for n in range(5)}


@pytest.mark.parametrize(("address", "kind"), [("gone@kunde.example", Rejected), ("later@kunde.example", Unavailable)])
def test_one_refused_of_several_stops_the_mail_for_all(gateway, postfix, consignment, address, kind):
    one = gateway(recipient_2=address)
    with pytest.raises(kind) as caught:
        one.send(consignment())
    assert type(caught.value) is kind
    assert address in caught.value.text.da
    one.config = one.config | {"recipient_2": None}
    one.send(consignment(key="after"))
    assert [mail["Message-ID"] for mail in postfix.received(1)] == ["<after@firma.example>"]


def test_a_sender_that_is_not_welcome_is_found_by_the_connection_test(gateway, consignment):
    steps = gateway(sender="stranger@firma.example").check()
    assert [step.ok for step in steps] == [True, True, True, True, False]
    with pytest.raises(Refused):
        gateway(sender="stranger@firma.example").send(consignment())


def test_the_connection_test_sends_nothing(gateway, postfix):
    assert all(step.ok for step in gateway().check())
    assert list(postfix.folder.glob("all/new/*")) == []


def test_a_mail_beyond_the_servers_limit_is_rejected_before_it_is_sent(gateway, consignment):
    big = consignment(payload=Payload(b"x" * LARGEST, "invoice.xml", "application/xml"))
    with pytest.raises(Rejected) as caught:
        gateway().send(big)
    assert "0,30 MB" in caught.value.text.da


def test_a_certificate_that_nobody_vouches_for_is_refused(gateway, consignment):
    with pytest.raises(Refused) as caught:
        gateway(ca_certificate=None).send(consignment())
    assert "certifikat" in caught.value.text.da


def test_a_server_that_wants_encryption_is_not_talked_to_without(gateway, consignment):
    with pytest.raises(Refused):
        gateway(security="none").send(consignment())


@pytest.mark.parametrize("limit", [700, 5_000, 20_000])
def test_a_connection_cut_inside_the_message_delivers_nothing_and_claims_nothing(
    gateway, postfix, consignment, proxy, limit
):
    # The network may have taken the whole mail from us by then, the final dot too.
    with pytest.raises((Unavailable, Unknown)):
        gateway(port=proxy(postfix.port, limit).port).send(consignment())
    gateway().send(consignment(key="after"))
    assert [mail["Message-ID"] for mail in postfix.received(1)] == ["<after@firma.example>"]
