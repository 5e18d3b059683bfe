"""``POST /inbound/<gateway>``: what a partner's machine, or a stranger, is answered."""

from __future__ import annotations

import io
import logging
from typing import Any, ClassVar

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import LaterReceipt, Transport, Unreadable, registry
from invoiceapp.gateways.email import EmailTransport
from invoiceapp.models import IncomingMessage, IncomingState, db
from invoiceapp.services.receipts import receiving

MDN = b"--x\r\nContent-Type: message/disposition-notification\r\n\r\n--x--\r\n"
TYPE = 'multipart/report; report-type=disposition-notification; boundary="x"'


class Posting(EmailTransport):
    """Reads whatever begins with ``--`` as a receipt about nothing that was sent."""

    kind: ClassVar[str] = "posting"
    receives: ClassVar[bool] = True
    header_names: ClassVar[frozenset[str]] = frozenset({"as2-"})

    def key_of(self, incoming: Any) -> str | None:
        if not incoming.content.startswith(b"--"):
            raise Unreadable(Text("Ulæselig.", "Unreadable."))
        return "unknown-key"

    def read(self, incoming: Any, wire_ids: Any) -> LaterReceipt:
        raise AssertionError("there is nothing to read it by")


@pytest.fixture
def address(gateway, monkeypatch):
    kind: type[Transport] = Posting
    monkeypatch.setitem(registry(), "posting", kind)
    gateway.kind = "posting"
    db.session.commit()
    return f"/inbound/{gateway.id}"


def rows():
    db.session.rollback()
    return db.session.query(IncomingMessage).all()


def test_a_receipt_needs_no_login_and_no_token_and_is_answered_with_nothing(client, address):
    answer = client.post(address, data=MDN, content_type=TYPE, headers={"AS2-From": "Partner", "Cookie": "a=b"})
    assert (answer.status_code, answer.data) == (200, b"")
    (row,) = rows()
    assert (row.state, row.size, row.headers) == (
        IncomingState.WAITING, len(MDN), {"content-type": TYPE, "as2-from": "Partner"},
    )  # fmt: skip
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/pkcs7-mime", "application/json", "what; is\tthis"]
)
def test_any_content_type_will_do(client, address, content_type):
    assert client.post(address, data=MDN, content_type=content_type, headers={"Message-ID": "<1@p>"}).status_code == 200


def test_what_cannot_be_read_is_400_and_says_no_more(client, address):
    answer = client.post(address, data=b"<script>", content_type="text/html")
    assert (answer.status_code, answer.data) == (400, b"")
    assert rows()[0].state is IncomingState.UNREADABLE


@pytest.mark.parametrize("data", [b"", {"a": "b"}])
def test_nothing_at_all_and_forms_are_400_and_not_kept(client, address, data):
    assert client.post(address, data=data).status_code == 400
    assert rows() == []


def test_a_gateway_that_is_not_there_and_one_that_takes_nothing_answer_the_same(client, address, gateway):
    unknown = client.post("/inbound/01ARZ3NDEKTSV4RRFFQ69G5FAV", data=MDN, content_type=TYPE)
    gateway.kind = "sftp"
    db.session.commit()
    deaf = client.post(address, data=MDN, content_type=TYPE)
    assert (unknown.status_code, unknown.data) == (deaf.status_code, deaf.data) == (404, b"")
    for answer in (unknown, deaf):
        # Of each request its own.
        del answer.headers["X-Request-ID"]
    assert dict(unknown.headers) == dict(deaf.headers)
    assert rows() == []


def test_too_much_by_its_own_word_is_not_even_read(client, address):
    class Unread(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: Any) -> int:
            raise AssertionError("read")

    length = str(receiving.LARGEST + 1)
    answer = client.post(
        address, environ_overrides={"wsgi.input": Unread(), "CONTENT_LENGTH": length, "CONTENT_TYPE": TYPE}
    )
    assert answer.status_code == 413
    assert rows() == []


def test_too_much_without_a_word_is_read_so_far_only(client, address):
    stream = io.BytesIO(b"--" + b"x" * receiving.LARGEST)
    answer = client.post(
        address,
        input_stream=stream,
        content_type=TYPE,
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert answer.status_code == 413
    assert stream.tell() <= receiving.LARGEST + 1
    assert rows() == []


def test_the_largest_message_is_taken(client, address):
    content = b"--".ljust(receiving.LARGEST, b"x")
    assert client.post(address, data=content, content_type=TYPE).status_code == 200


def test_too_many_a_day_are_refused(client, address, monkeypatch):
    monkeypatch.setattr(receiving, "MOST_UNMATCHED", 2)
    answers = [client.post(address, data=b"garbage %d" % number, content_type="x/y").status_code for number in range(3)]
    assert answers == [400, 400, 429]
    assert len(rows()) == 2


def test_a_fault_in_matching_is_logged_only(client, address, monkeypatch, caplog):
    def broken(_message_id):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(receiving.matching, "match", broken)
    with caplog.at_level(logging.ERROR):
        assert client.post(address, data=MDN, content_type=TYPE).status_code == 200
    assert "unexpected error" in caplog.text


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_there_is_nothing_but_post(client, address, method):
    assert getattr(client, method)(address).status_code == 405
    assert rows() == []
