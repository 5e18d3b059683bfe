from __future__ import annotations

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Incoming
from invoiceapp.models import Gateway, IncomingMessage, IncomingState, db
from invoiceapp.services.export import archive
from invoiceapp.services.receipts import storing


@pytest.fixture
def second(gateway):
    row = Gateway(subscription_id=gateway.subscription_id, name="Anden", kind="fake", config={}, secrets={})
    db.session.add(row)
    db.session.commit()
    return row


def rows():
    return db.session.query(IncomingMessage).order_by(IncomingMessage.id).all()


def test_the_bytes_lie_in_the_archive_and_a_row_waits(gateway):
    row = storing.keep(gateway, Incoming("svar.edi", b"UNB", {"content-type": "x/y"}))
    assert archive.load(row.sha256) == b"UNB"
    assert (row.state, row.size, row.times, row.headers) == (IncomingState.WAITING, 3, 1, {"content-type": "x/y"})
    assert row.subscription_id == gateway.subscription_id


def test_the_same_bytes_again_only_count(gateway):
    first = storing.keep(gateway, Incoming("svar.edi", b"UNB")).id
    again = storing.keep(gateway, Incoming("svar2.edi", b"UNB"))
    assert again.id == first
    assert [(row.name, row.times) for row in rows()] == [("svar.edi", 2)]


def test_the_same_bytes_at_another_gateway_are_another_message(gateway, second):
    storing.keep(gateway, Incoming("svar.edi", b"UNB"))
    storing.keep(second, Incoming("svar.edi", b"UNB"))
    assert [row.times for row in rows()] == [1, 1]


def test_two_at_the_same_moment_are_one(gateway, monkeypatch):
    storing.keep(gateway, Incoming("svar.edi", b"UNB"))
    known, asked = storing._known, []

    def blind_first(*key):
        asked.append(key)
        return None if len(asked) == 1 else known(*key)

    monkeypatch.setattr(storing, "_known", blind_first)
    storing.keep(gateway, Incoming("svar.edi", b"UNB"))
    assert [row.times for row in rows()] == [2]


def test_a_name_fits_its_column_and_every_page(gateway):
    row = storing.keep(gateway, Incoming("a\0b\n" + "x" * 300, b"UNB"))
    assert row.name.startswith("a?b?xxx")
    assert len(row.name) == 255


def test_without_the_archive_nothing_is_kept(gateway, monkeypatch):
    def full(_content):
        raise archive.ArchiveUnavailable(Text("Disken er fuld.", "The disk is full."))

    monkeypatch.setattr(archive, "store", full)
    with pytest.raises(archive.ArchiveUnavailable):
        storing.keep(gateway, Incoming("svar.edi", b"UNB"))
    assert rows() == []
