"""Real partners, deliveries that are ready to leave, and child processes that die on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import or_, select, update

from invoiceapp.config import Config
from invoiceapp.demo.partners import Partners, serve_partners
from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Delivery, Document, Gateway, HostSlot, Rendition, Run, db, new_id, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def partners(tmp_path: Path) -> Iterator[Partners]:
    with serve_partners(tmp_path / "received") as running:
        yield running


@pytest.fixture
def sftp(adaptor: Adaptor, partners: Partners) -> Gateway:
    raw = {
        "host": "127.0.0.1", "port": str(partners.sftp_port), "username": DEMO_USER, "password": DEMO_PASSWORD,
        "host_key": partners.host_key, "folder": ".",
    }  # fmt: skip
    return gateways.save(adaptor.subscription_id, "sftp", "SFTP", raw)


@pytest.fixture
def mail(adaptor: Adaptor, partners: Partners) -> Gateway:
    raw = {
        "host": "127.0.0.1", "port": str(partners.smtp_port), "security": "none", "auth": "none",
        "sender": "faktura@firma.example",
        "recipient": "bogholderi@kunde.example",
    }  # fmt: skip
    return gateways.save(adaptor.subscription_id, "email", "Mail", raw)


@pytest.fixture
def outbox(make_customer: Any, make_document: Any) -> Callable[[Gateway, int], set[str]]:
    """``outbox(gateway, count)``: pending deliveries with archived bytes; the SHA-256 of each."""

    def fill(gateway: Gateway, count: int) -> set[str]:
        customer = make_customer()
        hashes = set()
        for number in range(count):
            document = make_document(customer, str(number))
            content = f"<Invoice>{new_id()}</Invoice>".encode() * 50
            rendition = Rendition(
                id=new_id(), subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3",
                sha256=archive.store(content), size=len(content), media_type="application/xml", filename=f"invoice-{number}.xml",
            )  # fmt: skip
            hashes.add(rendition.sha256)
            row = Delivery(
                subscription_id=document.subscription_id, adaptor_id=document.adaptor_id, document_id=document.id,
                gateway_id=gateway.id, rendition_id=rendition.id, format="peppol-bis-3", transport=gateway.kind,
                state=DeliveryState.PENDING, next_at=utcnow(), idem_key=new_id().lower(), findings=[],
            )  # fmt: skip
            db.session.add(rendition)
            db.session.flush()
            db.session.add(row)
        db.session.commit()
        return hashes

    return fill


@pytest.fixture
def environment(config: Config) -> dict[str, str]:
    """What a process of its own needs to be the same installation."""
    return {
        **{name: value for name, value in os.environ.items() if not name.endswith("_URL")},
        "APP_ENV": "local",
        "DATABASE_URL": config.database_url,
        "REDIS_URL": config.redis_url,
        "INSTANCE_DIR": str(config.instance_dir),
        "ARCHIVE_DIR": str(config.archive_dir),
        "RULES_DIR": str(config.rules_dir),
        "ENCRYPTION_KEYS": ",".join(config.encryption_keys),
    }


@pytest.fixture
def die(environment: dict[str, str]) -> Callable[[str, int], None]:
    """``die(step, position)``: a worker process that is gone at that step of its delivery number ``position``."""

    def run(step: str, position: int = 1) -> None:
        db.session.commit()
        child = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("child.py")), json.dumps({"step": step, "position": position})],
            env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert child.returncode == 137, f"it should have died at {step}:\n{child.stderr[-3000:]}"

    return run


def expire_leases() -> None:
    """As if every lease of the dead had run out."""
    past = utcnow() - timedelta(hours=1)
    held = (DeliveryState.LEASED, DeliveryState.SENDING)
    with transaction() as session:
        session.execute(update(Delivery).where(Delivery.state.in_(held)).values(next_at=past))
        session.execute(update(HostSlot).values(until=past))
        session.execute(update(Run).where(Run.lease_until.is_not(None)).values(lease_until=past))
        session.execute(update(Document).where(Document.lease_until.is_not(None)).values(lease_until=past))


def make_all_due() -> None:
    """As if every pause had passed."""
    with transaction() as session:
        session.execute(update(Delivery).where(Delivery.state == DeliveryState.PENDING).values(next_at=utcnow()))


def twice_active() -> list[str]:
    """Documents with more than one delivery that is active or successful."""
    over = (DeliveryState.SUPERSEDED, DeliveryState.CANCELLED, DeliveryState.REJECTED)
    rows = db.session.scalars(select(Delivery.document_id).where(or_(Delivery.state.not_in(over)))).all()
    return [row for row in set(rows) if rows.count(row) > 1]
