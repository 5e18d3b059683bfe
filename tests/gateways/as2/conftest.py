"""Key pairs, configurations, and an AS2 partner that is written without the code it tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from support.as2_pairs import Pair, make_pair, make_pairs
from support.as2_partner import Partner


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """``own``, ``own_next``, ``partner``, ``partner_next``, ``stranger`` (RSA), ``curve`` (EC), ``expired``."""
    folder = tmp_path_factory.mktemp("as2")
    made = make_pairs(folder, "own", "own_next", "partner", "partner_next", "stranger")
    expired = make_pair(folder, "expired", rsa.generate_private_key(65537, 2048), days=-1)
    return made | {"curve": make_pair(folder, "curve", ec.generate_private_key(ec.SECP256R1())), "expired": expired}


@pytest.fixture
def config(pairs: dict[str, Pair]) -> Callable[..., dict[str, Any]]:
    """A complete configuration; keyword arguments replace its values."""

    def make(**changes: Any) -> dict[str, Any]:
        return {
            "url": "https://as2.partner.example/as2",
            "as2_from": "Firma-AS2",
            "as2_to": "Partner AS2",
            "subject": "{type} {number}",
            "sign": True,
            "digest": "sha256",
            "encrypt": "aes256-cbc",
            "key_transport": "pkcs1v15",
            "compress": False,
            "transfer_encoding": "base64",
            "own_certificate": pairs["own"].certificate,
            "own_key": pairs["own"].key,
            "partner_certificate": pairs["partner"].certificate,
            "mdn": "sync",
            "mdn_signed": True,
            "mdn_hours": 4,
            "dedupes": False,
        } | changes

    return make


@pytest.fixture
def openssl(tmp_path: Path) -> Callable[..., bytes]:
    """Runs ``openssl cms`` on DER or S/MIME octets and returns what it writes."""

    def run(content: bytes, *arguments: str | Path) -> bytes:
        source, target = tmp_path / "cms.in", tmp_path / "cms.out"
        source.write_bytes(content)
        target.unlink(missing_ok=True)
        command = ["openssl", "cms", *arguments, "-in", source, "-out", target]
        subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=20)
        return target.read_bytes()

    return run


@pytest.fixture
def partner(pairs: dict[str, Pair], tmp_path: Path) -> Iterator[Partner]:
    """A listening partner that answers with signed receipts."""
    one = Partner(tmp_path, pairs["partner"], pairs["own"])
    yield one
    one.close()
