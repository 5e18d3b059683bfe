"""A worker process that delivers until nothing moves or it is killed.

Waiting is done by moving moments in the database back, never by sleeping.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from support import told_registers

from invoiceapp import create_app
from invoiceapp.discovery.base import Offer, Registered
from invoiceapp.domain.delivery import IN_PROGRESS, DeliveryState
from invoiceapp.domain.identifiers import CVR, Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import OIOUBL_RESPONSE, ReceivingEndpoint
from invoiceapp.gateways.as2 import transport as as2
from invoiceapp.gateways.as4 import sending as as4
from invoiceapp.gateways.base import Transport
from invoiceapp.gateways.dropbox import api as dropbox
from invoiceapp.gateways.email import session as email_session
from invoiceapp.gateways.email import transport as email
from invoiceapp.gateways.ftp import transport as ftp
from invoiceapp.gateways.http import transport as http
from invoiceapp.gateways.providers import transport as providers
from invoiceapp.gateways.sftp import transport as sftp
from invoiceapp.models import Delivery, Gateway, HostSlot, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.export import delivery, probing, recovery

S = DeliveryState
#: In whose name all is sent.
SENDER = Participant(CVR, "12345674")


def be_impatient(step: float) -> None:
    """Partners that do not answer are given up soon."""
    for module in (as2, as4, dropbox, email, ftp, http, providers, sftp):
        module.STEP = step
    email.GOODBYE = email_session.FINAL_STEP = step
    Transport.DEADLINE = 5 * step


def know(endpoint: ReceivingEndpoint | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers that are asked, where they are, always say the same."""
    if endpoint is None:
        return
    registers = told_registers.install(monkeypatch)
    ours = Registered(SENDER, offers=(Offer(endpoint.network, OIOUBL_RESPONSE),))
    registers.said[(endpoint.network, SENDER)] = [ours]
    registers.said[(endpoint.network, endpoint.participant, DocumentType.INVOICE)] = endpoint


def work_off() -> int:
    """All that is due, as the clock and the workers of the product do it; how many were claimed or asked about."""
    return delivery.deliver_due() + probing.probe_due() + recovery.expire_receipts()


def let_pauses_pass() -> None:
    """As if every pause between tries were over, and every rest of a gateway."""
    past = utcnow() - timedelta(seconds=1)
    waiting = Delivery.state.in_((S.PENDING, S.OUTCOME_UNKNOWN)) & Delivery.next_at.is_not(None)
    with transaction() as session:
        session.execute(update(Delivery).where(waiting).values(next_at=past))
        session.execute(update(Gateway).where(Gateway.retry_at.is_not(None)).values(retry_at=past))


def let_leases_pass() -> None:
    """As if the leases and slots of the dead had run out. Nobody may be alive."""
    past = utcnow() - timedelta(seconds=1)
    held = Delivery.state.in_((S.LEASED, S.SENDING))
    with transaction() as session:
        session.execute(update(Delivery).where(held).values(next_at=past))
        session.execute(update(HostSlot).where(HostSlot.until.is_not(None)).values(until=past))


def left() -> int:
    """Deliveries that something can still be done about without a person."""
    waiting = Delivery.state.in_(IN_PROGRESS) | ((Delivery.state == S.OUTCOME_UNKNOWN) & Delivery.next_at.is_not(None))
    with transaction():
        return db.session.scalar(select(func.count()).select_from(Delivery).where(waiting)) or 0


def work_until_nothing_moves() -> None:
    """Ends where all that is left belongs to others, or to nobody."""
    idle = 0
    while left() and idle < 3:
        let_pauses_pass()
        idle = 0 if work_off() else idle + 1


def run(step: float, environment: dict[str, str], log: str, endpoint: ReceivingEndpoint | None) -> None:
    """The process. ``log``: a file for all that it says; ``endpoint``: as ``know``."""
    with open(log, "ab") as file:
        for standard in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), standard.fileno())
    os.environ.update(environment)
    be_impatient(step)
    know(endpoint, pytest.MonkeyPatch())
    with create_app(pages=False).app_context():
        work_until_nothing_moves()
