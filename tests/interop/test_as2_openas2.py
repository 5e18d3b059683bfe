"""AS2 with OpenAS2 (Java), taken from Maven Central into ``build/``.

Its 2.10.1, the newest there, knows neither AES-GCM nor RSA-OAEP: what it makes of them shows our side of a failure.
"""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat, load_pem_private_key, pkcs12
from support.as2_pairs import Pair, make_pairs
from support.as2_partner import Inbox
from support.fetching import FETCHED, one_at_a_time
from support.outbound import LOOPBACK

from invoiceapp.gateways.as2 import As2Transport
from invoiceapp.gateways.base import Consignment, Payload, Refused, TransportError, Unknown, Verdict

pytestmark = pytest.mark.server

HERE = Path(__file__).with_name("openas2")
JARS = FETCHED / "openas2"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
XML = b'<?xml version="1.0"?>\n<Invoice>' + b"<Line/>\r\n" * 400 + b"\n</Invoice>\n"


@pytest.fixture(scope="session")
def jars() -> list[Path]:
    """OpenAS2 and what it needs; fetched where they are not there."""
    with one_at_a_time():
        if not JARS.is_dir():
            if not shutil.which("mvn") or not shutil.which("java"):
                pytest.skip("needs Maven and Java")
            fresh = JARS.with_name("openas2.new")
            command = ["mvn", "--batch-mode", "--quiet", "-f", HERE / "pom.xml", COPY, f"-DoutputDirectory={fresh}"]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
            fresh.rename(JARS)
    return sorted(JARS.glob("*.jar"))


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    return make_pairs(tmp_path_factory.mktemp("openas2-pairs"), "own", "partner", "stranger")


def _write_keystore(path: Path, pairs: dict[str, Pair]) -> None:
    algorithm = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2_000).hmac_hash(hashes.SHA1())
    # Bouncy Castle 1.66 opens nothing newer.
    algorithm = algorithm.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
    partner = pairs["partner"]
    key = load_pem_private_key(partner.key.encode(), None)
    others = [pkcs12.PKCS12Certificate(pairs["own"].loaded, b"own")]
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(b"partner", key, partner.loaded, others, algorithm.build(b"interop"))
    )


@pytest.fixture(scope="session")
def openas2(
    jars: list[Path], pairs: dict[str, Pair], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """A running OpenAS2: its ``url``, and the ``inbox`` where it puts what it took."""
    home = tmp_path_factory.mktemp("openas2")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    _write_keystore(home / "certs.p12", pairs)
    (home / "partnerships.xml").write_text((HERE / "partnerships.xml").read_text())
    (home / "config.xml").write_text((HERE / "config.xml").read_text().replace("PORT", str(port)))
    options = [
        "-Dorg.apache.commons.logging.Log=org.openas2.logging.Log",
        f"-Dopenas2.config.file={home / 'config.xml'}",
    ]
    command = ["java", "-cp", ":".join(map(str, jars)), *options, "org.openas2.app.OpenAS2Server"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        _wait_for(port, process, home / "log")
        yield {"url": f"http://127.0.0.1:{port}/", "inbox": home / "inbox"}
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text())


_numbers = itertools.count()


@pytest.fixture
def consignment() -> Consignment:
    """With a key that OpenAS2 has not seen."""
    return Consignment(f"openas2key{next(_numbers)}", Payload(XML, "invoice.xml", "application/xml"))


@pytest.fixture
def opened(openas2: dict[str, Any], pairs: dict[str, Pair]) -> Callable[..., As2Transport]:
    def make(**changes: Any) -> As2Transport:
        config = {
            "url": openas2["url"],
            "as2_from": "Firma-AS2",
            "as2_to": "Partner",
            "sign": True,
            "encrypt": "aes256-cbc",
            "own_certificate": pairs["own"].certificate,
            "own_key": pairs["own"].key,
            "partner_certificate": pairs["partner"].certificate,
            "mdn": "sync",
            "mdn_signed": True,
        }
        return As2Transport(config | changes, LOOPBACK)

    return make


def _taken(openas2: dict[str, Any], consignment: Consignment) -> list[bytes]:
    """What lies in its inbox of this consignment."""
    return [path.read_bytes() for path in openas2["inbox"].glob(f"*{consignment.key}@*")]


@pytest.mark.parametrize(
    "changes",
    [
        {"compress": True},
        {},
        {"encrypt": "aes128-cbc", "compress": True},
        {"encrypt": "none", "compress": True},
        {"encrypt": "none"},
        {"sign": False, "compress": True},
        {"sign": False},
        {"sign": False, "encrypt": "none"},
        {"digest": "sha512", "compress": True},
        {"transfer_encoding": "binary"},
        {"transfer_encoding": "binary", "compress": True},
    ],
    ids=str,
)
def test_it_arrives_and_the_signed_receipt_proves_it(openas2, opened, consignment, changes):
    with opened(**changes) as ours:
        receipt = ours.send(consignment)
    assert receipt.proves_arrival
    assert receipt.evidence["mic"] == receipt.evidence["sent_mic"]
    assert _taken(openas2, consignment) == [XML]


def test_it_recognises_no_repetition(opened, consignment):
    """So nobody may tick that it does."""
    with opened() as ours:
        assert [ours.send(consignment).evidence["duplicate"] for _ in range(2)] == [False, False]


def test_an_asynchronous_receipt_is_read(openas2, opened, consignment):
    with Inbox() as inbox, opened(mdn="async", mdn_url=inbox.url, compress=True) as ours:
        assert not ours.send(consignment).final
        (incoming,) = inbox.wait()
        assert ours.key_of(incoming) == consignment.key
        assert ours.read(incoming, ours.wire_ids(consignment)).verdict is Verdict.ARRIVED
    assert _taken(openas2, consignment) == [XML]


@pytest.mark.parametrize(
    ("changes", "kind", "word"),
    [
        ({"own_certificate": "stranger", "own_key": "stranger"}, Refused, "integrity-check-failed"),
        ({"key_transport": "oaep"}, Refused, "decryption-failed"),
        ({"encrypt": "aes256-gcm"}, Unknown, "MIC differs"),
        ({"encrypt": "none", "partner_certificate": "stranger"}, Unknown, "none of these"),
        ({"as2_from": "Somebody"}, Unknown, "HTTP 500"),
    ],
    ids=["signature", "oaep", "gcm", "receipt", "name"],
)
def test_failures_in_both_directions_are_told_apart(pairs, opened, consignment, changes, kind, word):
    held = {"own_certificate": "certificate", "own_key": "key", "partner_certificate": "certificate"}
    changed = {name: getattr(pairs[value], held[name]) if name in held else value for name, value in changes.items()}
    with opened(**changed) as ours, pytest.raises(TransportError, match=word) as caught:
        ours.send(consignment)
    assert type(caught.value) is kind
