"""Real partners, deliveries that are ready to leave, and worker processes that die on purpose."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from invoiceapp.config import Config
from invoiceapp.demo.partners import Partners, serve_partners
from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER
from invoiceapp.domain.delivery import EXCLUSIVE, DeliveryState
from invoiceapp.gateways.base import registry
from invoiceapp.models import Adaptor, Delivery, Document, Gateway, HostSlot, Rendition, Run, db, new_id, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive
from tests.faults.worker import SENDER

from .zygote import ROOT as ROOT
from .zygote import Zygote

USUAL = "peppol-bis-3"
Outbox = Callable[[Gateway, int], dict[str, str]]


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
def outbox(adaptor: Adaptor, make_customer: Any, make_document: Any) -> Outbox:
    """``outbox(gateway, count)``: pending deliveries with archived bytes; the SHA-256 of each by delivery id."""

    def fill(gateway: Gateway, count: int) -> dict[str, str]:
        customer = make_customer()
        accepted = registry()[gateway.kind].accepts or {USUAL}
        format_id = USUAL if USUAL in accepted else min(accepted)
        filled = {}
        for number in range(count):
            document = make_document(customer, f"{gateway.name}-{number}")
            # Long enough to break off in the middle, and nothing that compression makes short.
            content = f"<Invoice><ID>{new_id()}</ID>{os.urandom(12_000).hex()}</Invoice>".encode()
            owned = {"subscription_id": document.subscription_id, "document_id": document.id, "format": format_id}
            rendition = Rendition(
                **owned, id=new_id(), sha256=archive.store(content), size=len(content), media_type="application/xml",
                filename=f"invoice-{number}.xml", sender=str(SENDER), receiver="0088:5798000000001",
            )  # fmt: skip
            row = Delivery(
                **owned, id=new_id(), adaptor_id=document.adaptor_id, gateway_id=gateway.id, rendition_id=rendition.id,
                transport=gateway.kind, state=DeliveryState.PENDING, next_at=utcnow(), idem_key=os.urandom(16).hex(),
                findings=[],
            )  # fmt: skip
            db.session.add(rendition)
            db.session.flush()
            db.session.add(row)
            filled[row.id] = rendition.sha256
        db.session.commit()
        return filled

    return fill


@pytest.fixture
def open_gateway(adaptor: Adaptor) -> Callable[[str, dict[str, Any]], Gateway]:
    """``open_gateway(kind, config)``: to a receiving server of ``support.receivers``."""

    def save(kind: str, config: dict[str, Any]) -> Gateway:
        form = {
            name: ("yes" if value else "no") if isinstance(value, bool) else str(value)
            for name, value in config.items()
        }
        return gateways.save(adaptor.subscription_id, kind, f"To {kind}", form)

    return save


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


@pytest.fixture(scope="session")
def _zygote() -> Iterator[Zygote]:
    zygote = Zygote()
    yield zygote
    zygote.close()


@pytest.fixture
def zygote(_zygote: Zygote) -> Iterator[Zygote]:
    """Starts workers in milliseconds; none of them outlives the test."""
    yield _zygote
    # An open transaction of ours would keep them waiting.
    db.session.rollback()
    _zygote.reset()


@pytest.fixture
def start(zygote: Zygote, environment: dict[str, str], tmp_path: Path) -> Callable[..., int]:
    """``start(work, step="", kind="sftp", endpoint=None)``: a worker's process id; see ``steps``."""

    def run(work: str, step: str = "", kind: str = "sftp", endpoint: Any = None, **installation: str) -> int:
        db.session.commit()
        return zygote.start(
            environment=environment | installation, log=str(tmp_path / "worker.log"), kind=kind, step=step, work=work,
            endpoint=endpoint,
        )  # fmt: skip

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
    """Documents with more than one delivery to a gateway that is active or successful."""
    rows = db.session.execute(
        select(Delivery.document_id, Delivery.gateway_id).where(Delivery.state.in_(EXCLUSIVE))
    ).all()
    return [row.document_id for row in set(rows) if rows.count(row) > 1]
