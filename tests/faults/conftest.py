"""An outbox full of deliveries to one receiving server, and worker processes to be killed."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from invoiceapp.config import Config
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import ReceivingEndpoint
from invoiceapp.gateways.base import registry
from invoiceapp.models import Adaptor, Delivery, Document, Gateway, Rendition, Stage, db, new_id, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive

from . import worker

StartWorker = Callable[..., BaseProcess]
Outbox = Callable[[str, dict[str, Any], int], dict[str, str]]

USUAL = "peppol-bis-3"


def form(config: dict[str, Any]) -> dict[str, str]:
    """A configuration as a browser sends it."""
    return {
        name: ("yes" if value else "no") if isinstance(value, bool) else str(value) for name, value in config.items()
    }


@pytest.fixture
def outbox(adaptor: Adaptor, make_customer: Any) -> Outbox:
    """``outbox(kind, config, count)``: a gateway and pending deliveries through it; SHA-256 of each by delivery id."""

    def fill(kind: str, config: dict[str, Any], count: int) -> dict[str, str]:
        gateway = gateways.save(adaptor.subscription_id, kind, "Receiver", form(config))
        customer = make_customer()
        with transaction() as session:
            return dict(_delivery(session, adaptor, gateway, customer, number) for number in range(count))

    return fill


def _delivery(session: Any, adaptor: Adaptor, gateway: Gateway, customer: Any, number: int) -> tuple[str, str]:
    content = f"<Invoice><ID>{new_id()}</ID>{'x' * (number * 37 % 4_000)}</Invoice>".encode()
    owned = {"subscription_id": adaptor.subscription_id, "adaptor_id": adaptor.id}
    document = Document(
        **owned, id=new_id(), customer_id=customer.id, customer_source_id=customer.source_id, customer_name=customer.name,
        number=str(number), source_id=new_id(), type=DocumentType.INVOICE, issue_date=utcnow().date(), currency="DKK",
        net=100, vat=25, bundle={}, bundle_sha256="0" * 64, stage=Stage.CONVERTED,
    )  # fmt: skip
    accepted = registry()[gateway.kind].accepts or {USUAL}
    format_id = USUAL if USUAL in accepted else min(accepted)
    rendition = Rendition(
        id=new_id(), subscription_id=adaptor.subscription_id, document_id=document.id, format=format_id,
        sha256=archive.store(content), size=len(content), media_type="application/xml", filename=f"invoice-{number}.xml",
        sender=str(worker.SENDER), receiver="0088:5798000000001",
    )  # fmt: skip
    row = Delivery(
        **owned, id=new_id(), document_id=document.id, gateway_id=gateway.id, rendition_id=rendition.id,
        format=format_id, transport=gateway.kind, state=DeliveryState.PENDING, next_at=utcnow(),
        idem_key=os.urandom(16).hex(), findings=[],
    )  # fmt: skip
    for one in (document, rendition, row):
        session.add(one)
        session.flush()
    return row.id, rendition.sha256


@pytest.fixture
def start_worker(config: Config, tmp_path: Path) -> Iterator[StartWorker]:
    """``start_worker(step, endpoint=None)``: a process that delivers; killed at the end where it still lives."""
    environment = {
        "APP_ENV": "local", "DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url,
        "INSTANCE_DIR": str(config.instance_dir), "ARCHIVE_DIR": str(config.archive_dir), "RULES_DIR": str(config.rules_dir),
        "ENCRYPTION_KEYS": ",".join(config.encryption_keys),
    }  # fmt: skip
    # Forked from a process that has read all the code once; never from this one with its threads.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([worker.__name__])
    started: list[BaseProcess] = []

    def start(step: float, endpoint: ReceivingEndpoint | None = None) -> BaseProcess:
        arguments = (step, environment, str(tmp_path / "worker.log"), endpoint)
        started.append(processes.Process(target=worker.run, args=arguments))
        started[-1].start()
        return started[-1]

    yield start
    # An open transaction of ours would keep them waiting.
    db.session.rollback()
    for process in started:
        process.kill()
        process.join(timeout=15)
        process.close()
