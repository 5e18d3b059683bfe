"""The address behind the server of the Procfile: AS4 senders (phase4) write in chunks and name no length (RFC 9112 7.1)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from support.receivers.as4 import RECEIVER, holder, identity, pki
from support.responses import response

from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Identifier
from invoiceapp.gateways.as4 import exchange, sbdh
from invoiceapp.gateways.as4.exchange import Sealed
from invoiceapp.gateways.as4.sbdh import Header
from invoiceapp.models import IncomingMessage, db
from invoiceapp.processes import free_port
from invoiceapp.services.configuration import gateways
from invoiceapp.services.receipts import receiving

pytestmark = pytest.mark.server

ROOT = Path(__file__).resolve().parents[3]


def server_command() -> list[str]:
    """As the Procfile starts it, with one process."""
    (line,) = [line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web: ")]
    words = line.removeprefix("web: gunicorn ").split()
    kept = words[: words.index("--workers")] + words[words.index("--threads") : words.index("--bind")]
    return [sys.executable, "-m", "gunicorn", *kept]


@pytest.fixture
def web(config, app, tmp_path) -> Iterator[str]:
    """The product's pages on this test's database; the address to ask at."""
    port, log = free_port(), tmp_path / "web.log"
    environment = {
        **os.environ, "DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url, "SECRET_KEY": config.secret_key,
        "INSTANCE_DIR": str(config.instance_dir), "ARCHIVE_DIR": str(config.archive_dir),
        "ENCRYPTION_KEYS": ",".join(config.encryption_keys), "BASE_URL": config.base_url, "DEMO": "0",
    }  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*server_command(), "--bind", f"127.0.0.1:{port}"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + 60
        while "Booting worker" not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def address(web, subscription) -> str:
    own = holder("POP000001")
    own_keys = {"own_certificate": own.pem, "own_key": own.key_pem, "anchors": pki().root_pem + pki().intermediate_pem}
    made = gateways.save(
        subscription.id, "peppol", "Access point", own_keys | {"lookup": "live", "revocation": "off", "country": "DK"}
    )
    gateway_id = made.id
    db.session.rollback()
    return f"{web}/inbound/{gateway_id}"


def message() -> Sealed:
    """The buyer's answer, from its access point to ours."""
    header = Header(
        RECEIVER, Participant("0184", "12345674"), "0b9a3b4e-0000-4000-8000-000000000001",
        Identifier("busdox-docid-qns", "urn:x::ApplicationResponse##y::2.1"), Identifier("cenbii-procid-ubl", "urn:y"),
        datetime.now(UTC), country_c1="DK",
    )  # fmt: skip
    user_message = exchange.user_message(header, "answer-1@them", "conversation", "POP000002", "POP000001")
    ours = holder("POP000001").certificate
    return exchange.build_message(user_message, sbdh.build(response(), header), identity("POP000002"), ours)


def chunks(content: bytes, size: int = 1_000) -> Iterator[bytes]:
    """Without a length, as a stream whose end nobody knows yet."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def kept() -> list[IncomingMessage]:
    db.session.rollback()
    return db.session.query(IncomingMessage).all()


def test_a_message_in_chunks_is_whole_and_receipted(address):
    sealed = message()
    answer: Any = requests.post(address, data=chunks(sealed.body), headers=dict(sealed.headers), timeout=30)
    assert answer.status_code == 200
    headers = {"content-type": answer.headers["Content-Type"]}
    assert exchange.check_answer(headers, answer.content, sealed, holder("POP000001").certificate)
    assert [row.name for row in kept()] == ["answer-1@them"]


def test_chunks_without_end_are_cut_off_and_the_next_message_is_taken(address):
    too_much = chunks(b"x" * (receiving.LARGEST_WRAPPED + 100_000), 65_536)
    # It may be cut off before all is written.
    with suppress(requests.ConnectionError):
        assert requests.post(address, data=too_much, timeout=30).status_code == 413
    sealed = message()
    assert requests.post(address, data=chunks(sealed.body), headers=dict(sealed.headers), timeout=30).status_code == 200
    assert len(kept()) == 1
