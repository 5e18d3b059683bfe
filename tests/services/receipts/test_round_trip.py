"""A document leaves by a VANS gateway over SFTP, the operator answers in the other folder, and the answer is collected."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.answers import OURS, answer, aperak, contrl, invoic

from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER, SftpServer
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Delivery, Gateway, Rendition, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.export import archive, delivery, recovery
from invoiceapp.services.receipts import collecting

S = DeliveryState
pytestmark = pytest.mark.server


@pytest.fixture
def operator(tmp_path, monkeypatch):
    """The operator's server: ``ind`` for us to send to, ``ud`` for us to read."""
    monkeypatch.setattr("invoiceapp.gateways.vans.inbox.SETTLE", 0)
    server = SftpServer(tmp_path / "vans", tmp_path / "host_key")
    for name in ("ind", "ud"):
        (server.folder / name).mkdir()
    yield server
    server.close()


@pytest.fixture
def waiting(sent, gateway, operator):
    """An INVOIC that waits to leave through a VANS gateway that expects an answer."""
    values = {
        "carrier": "sftp", "mailbox": OURS, "inbox": "/ud", "expects": "contrl", "answer_hours": "6",
        "afterwards": "move", "sftp_host": "127.0.0.1", "sftp_port": str(operator.port), "sftp_username": DEMO_USER,
        "sftp_password": DEMO_PASSWORD, "sftp_host_key": operator.host_key, "sftp_folder": "/ind",
    }  # fmt: skip
    made = gateways.save(gateway.subscription_id, "vans", "Operatør", values)
    row = sent(state=S.PENDING, tries=0)
    row.gateway_id, row.next_at = made.id, utcnow()
    rendition = db.session.get_one(Rendition, row.rendition_id)
    rendition.sha256, rendition.filename = archive.store(invoic("17")), "invoice-1001.edi"
    db.session.commit()
    return row


def answered(operator, row, content, name):
    (operator.folder / "ud" / name).write_bytes(content)
    gateway = db.session.get_one(Gateway, row.gateway_id)
    gateway.collect_at = None
    db.session.commit()
    collecting.collect_due()


def test_it_is_handed_over_then_received_then_acknowledged(waiting, left, operator):
    delivery.deliver_due()
    assert left(waiting).state is S.ACCEPTED
    assert abs(waiting.next_at - utcnow() - timedelta(hours=6)) < timedelta(minutes=1)
    assert [path.read_bytes() for path in (operator.folder / "ind").iterdir()] == [invoic("17")]
    answered(operator, waiting, answer(contrl("17")), "CONTRL_1.edi")
    assert left(waiting).state is S.DELIVERED
    answered(operator, waiting, answer(aperak("1001"), reference="2"), "APERAK_1.edi")
    found = left(waiting)
    assert (found.state, found.kinds) == (S.ACKNOWLEDGED, ["wire", "contrl", "aperak"])
    assert len(list((operator.folder / "ud" / "done").iterdir())) == 2


def test_without_an_answer_the_outcome_is_unknown_and_a_late_answer_still_settles_it(waiting, left, operator):
    delivery.deliver_due()
    assert recovery.expire_receipts(utcnow() + timedelta(hours=7)) == 1
    assert left(waiting).state is S.OUTCOME_UNKNOWN
    answered(operator, waiting, answer(contrl("17", action="4", error="12")), "CONTRL_1.edi")
    assert left(waiting).state is S.REJECTED
    assert db.session.get_one(Delivery, waiting.id).error["class"] == "Rejected"
