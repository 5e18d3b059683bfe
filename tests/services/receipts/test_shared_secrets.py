"""Partners that show a secret in a header of what they post."""

from __future__ import annotations

import json

import pytest

from invoiceapp.gateways.shared_secret import fingerprint
from invoiceapp.models import IncomingMessage, db
from invoiceapp.services.configuration import gateways
from invoiceapp.services.receipts.receiving import Answer, receive


@pytest.fixture
def storecove(gateway):
    gateway.kind = "storecove"
    db.session.commit()
    return gateway


def test_of_a_secret_that_is_shown_only_a_fingerprint_is_kept(storecove):
    message = json.dumps({"event": "failed", "document_submission_guid": "3f0c64ee"}).encode()
    headers = {"Content-Type": "application/json", "Authorization": "hook-canary", "Cookie": "hook-canary"}
    assert receive(storecove.id, message, headers) is Answer.STORED
    (row,) = db.session.query(IncomingMessage).all()
    assert row.headers == {"content-type": "application/json", "authorization": fingerprint("hook-canary")}
    with gateways.open_transport(storecove) as transport:
        assert transport.header_names == {"authorization"}
