"""AS2 with a partner that others wrote: pyas2lib (PyPI), in a virtual environment of its own under ``build/``.

pyas2lib needs oscrypto 1.3.0, whose look for OpenSSL's version knows single
digits only (its issue 78) and is corrected here after the installation.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.as2_pairs import Pair, make_pairs
from support.as2_partner import Inbox
from support.fetching import FETCHED, one_at_a_time
from support.outbound import LOOPBACK

from invoiceapp.gateways.as2 import As2Transport
from invoiceapp.gateways.base import Consignment, Payload, Refused, TransportError, Unknown, Verdict

pytestmark = pytest.mark.server

VENV = FETCHED / "pyas2lib"
PEER = Path(__file__).with_name("as2_pyas2_peer.py")
XML = b'<?xml version="1.0"?>\n<Invoice>' + b"<Line/>\r\n" * 400 + b"\n</Invoice>\n"
CONSIGNMENT = Consignment("mfrggzdfmztwq2lkmfrggzdfabcd", Payload(XML, "invoice.xml", "application/xml; charset=utf-8"))


@pytest.fixture(scope="session")
def pyas2lib_python() -> Path:
    """The Python of an environment with pyas2lib; made where there is none."""
    python, stamp = VENV / "bin" / "python", VENV / "installed"
    with one_at_a_time():
        if not stamp.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "pyas2lib==1.4.4"], check=True)
            for path in VENV.glob("lib/*/site-packages/oscrypto/_openssl/_libcrypto_c*.py"):
                path.write_text(path.read_text().replace(r"\\d\\.\\d\\.\\d[a-z]*", r"\\d+\\.\\d+\\.\\d+[a-z]*"))
            stamp.touch()
    return python


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    return make_pairs(tmp_path_factory.mktemp("as2-peers"), "own", "partner", "stranger")


class Peer:
    """A running partner."""

    def __init__(self, python: Path, settings: dict[str, Any], folder: Path) -> None:
        file = folder / "settings.json"
        file.write_text(json.dumps(settings))
        with (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen([python, PEER, file], stdout=subprocess.PIPE, stderr=errors, text=True)
        port = self._line().strip()
        if not port:
            self.close()
            pytest.fail((folder / "errors").read_text())
        self.url = f"http://127.0.0.1:{port}/"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def message(self) -> dict[str, Any]:
        """What it says of the next message."""
        return dict(json.loads(self._line()))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def peer(pyas2lib_python: Path, pairs: dict[str, Pair], tmp_path: Path) -> Iterator[Callable[..., Peer]]:
    """Starts a partner; keyword arguments are what it demands, and ``theirs`` whose signature it accepts."""
    running: list[Peer] = []

    def start(theirs: str = "own", **demands: Any) -> Peer:
        pem = tmp_path / "partner.pem"
        pem.write_text(pairs["partner"].key + pairs["partner"].certificate)
        settings = {
            "us": "Partner AS2",
            "them": "Firma-AS2",
            "our_pem": str(pem),
            "their_certificate": str(pairs[theirs].certificate_path),
            "demands": demands,
        }
        running.append(Peer(pyas2lib_python, settings, tmp_path))
        return running[-1]

    yield start
    for one in running:
        one.close()


def _config(pairs: dict[str, Pair], url: str, **changes: Any) -> dict[str, Any]:
    return {
        "url": url,
        "as2_from": "Firma-AS2",
        "as2_to": "Partner AS2",
        "sign": True,
        "digest": "sha256",
        "encrypt": "aes256-cbc",
        "own_certificate": pairs["own"].certificate,
        "own_key": pairs["own"].key,
        "partner_certificate": pairs["partner"].certificate,
        "mdn": "sync",
        "mdn_signed": True,
    } | changes


@pytest.mark.parametrize("encrypt", ["none", "aes128-cbc", "aes256-cbc"])
@pytest.mark.parametrize("sign", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "whole"])
def test_every_combination_arrives_and_its_signed_receipt_counts(peer, pairs, encrypt, sign, compress):
    partner = peer(sign=sign, encrypt=encrypt != "none")
    with As2Transport(_config(pairs, partner.url, encrypt=encrypt, sign=sign, compress=compress), LOOPBACK) as ours:
        if sign:
            receipt = ours.send(CONSIGNMENT)
            assert receipt.proves_arrival
            assert receipt.evidence["mic"] == receipt.evidence["sent_mic"]
        else:
            # It computes no MIC over what is not signed, which its signed receipt would need.
            with pytest.raises(Unknown, match="without MIC"):
                ours.send(CONSIGNMENT)
    message = partner.message()
    assert message["status"] == "processed", message
    assert message["content"].encode("latin-1") == XML
    assert (message["signed"], message["compressed"]) == (sign, compress)


@pytest.mark.parametrize("changes", [{"digest": "sha512"}, {"transfer_encoding": "binary"}], ids=str)
def test_other_algorithms_and_wrappings_arrive(peer, pairs, changes):
    partner = peer(sign=True, encrypt=True)
    with As2Transport(_config(pairs, partner.url, **changes), LOOPBACK) as ours:
        assert ours.send(CONSIGNMENT).proves_arrival
    assert partner.message()["content"].encode("latin-1") == XML


def test_a_repetition_is_recognised_but_not_proved_to_have_been_read(peer, pairs):
    """It looks for the Message-ID before it decrypts, so that its receipt has no MIC."""
    partner = peer(sign=True, encrypt=True)
    with As2Transport(_config(pairs, partner.url), LOOPBACK) as ours:
        assert not ours.send(CONSIGNMENT).evidence["duplicate"]
        with pytest.raises(Unknown, match="duplicate-document, without MIC"):
            ours.send(CONSIGNMENT)


def test_what_it_could_not_decrypt_is_a_repetition_to_it_too(peer, pairs):
    partner = peer(sign=True, encrypt=True)
    # pyas2lib knows OAEP with SHA-1 only.
    unreadable, mended = (_config(pairs, partner.url, key_transport=name) for name in ("oaep", "pkcs1v15"))
    with As2Transport(unreadable, LOOPBACK) as ours, pytest.raises(Refused, match="decryption-failed"):
        ours.send(CONSIGNMENT)
    with As2Transport(mended, LOOPBACK) as ours, pytest.raises(Unknown, match="duplicate-document"):
        ours.send(CONSIGNMENT)


@pytest.mark.parametrize(
    ("demands", "changes", "kind"),
    [
        ({"theirs": "stranger", "sign": True}, {}, Refused),
        ({"sign": True}, {"sign": False}, Refused),
        ({"encrypt": True}, {"encrypt": "none"}, Refused),
        # pyas2lib knows OAEP with SHA-1 only.
        ({"sign": True}, {"key_transport": "oaep"}, Refused),
        ({"sign": True}, {"partner_certificate": "stranger"}, Unknown),
    ],
    ids=["signature", "unsigned", "open", "oaep", "wrong-certificate"],
)
def test_failures_of_the_set_up_are_told_apart(peer, pairs, demands, changes, kind):
    partner = peer(**demands)
    if "partner_certificate" in changes:
        changes = {"partner_certificate": pairs[changes["partner_certificate"]].certificate}
    with (
        As2Transport(_config(pairs, partner.url, **changes), LOOPBACK) as ours,
        pytest.raises(TransportError) as caught,
    ):
        ours.send(CONSIGNMENT)
    assert type(caught.value) is kind, partner.message()


def test_an_asynchronous_receipt_is_read(peer, pairs):
    partner = peer(sign=True, encrypt=True)
    with Inbox() as inbox, As2Transport(_config(pairs, partner.url, mdn="async", mdn_url=inbox.url), LOOPBACK) as ours:
        assert not ours.send(CONSIGNMENT).final
        (incoming,) = inbox.wait()
        assert ours.key_of(incoming) == CONSIGNMENT.key
        assert ours.read(incoming, ours.wire_ids(CONSIGNMENT)).verdict is Verdict.ARRIVED
