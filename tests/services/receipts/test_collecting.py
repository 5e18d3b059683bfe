"""Gateways are looked at in turn; what lies there is kept, matched, and only then taken away."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from support.answers import answer, contrl

from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER, SftpServer
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Unavailable
from invoiceapp.models import Gateway, IncomingMessage, IncomingState, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.export import archive, recovery, slots
from invoiceapp.services.receipts import collecting, storing

S = DeliveryState
WORDS = Text("Ord.", "Words.")


def next_look(gateway):
    db.session.rollback()
    return db.session.get_one(Gateway, gateway.id, populate_existing=True).collect_at


def is_in(moment, pause):
    return abs(moment - utcnow() - pause) < timedelta(minutes=1)


def test_answers_are_kept_matched_and_taken_away(sent, left, fetching, gateway):
    delivery = sent()
    fetching.shelf = {"svar.edi": answer(contrl())}
    assert collecting.due()
    assert collecting.collect_due() == 1
    assert left(delivery).state is S.DELIVERED
    assert fetching.shelf == {}
    assert is_in(next_look(gateway), collecting.EVERY)


def test_a_gateway_is_looked_at_every_quarter_of_an_hour_only(fetching, gateway):
    collecting.collect_due()
    assert not collecting.due()
    assert collecting.collect_due() == 0
    gateway.collect_at = utcnow() - timedelta(seconds=1)
    db.session.commit()
    assert collecting.collect_due() == 1
    assert len(fetching.looks) == 2


def test_two_workers_look_once(fetching, gateway, monkeypatch):
    first = collecting._due(5)
    collecting.collect_due()
    monkeypatch.setattr(collecting, "_due", lambda _limit: first)
    assert collecting.collect_due() == 0
    assert len(fetching.looks) == 1


def test_paused_gateways_and_kinds_without_a_mailbox_are_left_alone(fetching, gateway):
    gateways.pause(gateway.id, WORDS)
    db.session.add(Gateway(subscription_id=gateway.subscription_id, name="Mail", kind="email", config={}, secrets={}))
    db.session.commit()
    assert not collecting.due()
    assert collecting.collect_due() == 0
    assert fetching.looks == []


def test_what_came_during_a_pause_is_collected_before_anything_counts_as_unanswered(sent, left, fetching, gateway):
    """Else the same interchange would go to the receiver again, although the answer to it lies there."""
    delivery = sent()
    delivery.next_at = utcnow() - timedelta(hours=1)
    gateways.pause_by_person(gateway.id, "ida@example.com")
    fetching.shelf = {"svar.edi": answer(contrl())}
    db.session.commit()
    assert recovery.expire_receipts() == 0
    gateways.resume(gateway.id)
    assert recovery.expire_receipts() == 0
    assert collecting.collect_due() == 1
    assert left(delivery).state is S.DELIVERED


def test_after_a_pause_what_stays_unanswered_is_told_in_time(sent, left, fetching, gateway):
    delivery = sent()
    delivery.next_at = utcnow() - timedelta(hours=1)
    gateways.pause_by_person(gateway.id, "ida@example.com")
    gateways.resume(gateway.id)
    assert recovery.expire_receipts(utcnow() + timedelta(hours=3)) == 1
    assert left(delivery).state is S.OUTCOME_UNKNOWN


def test_a_job_looks_at_so_many_gateways_at_most(fetching, gateway, monkeypatch):
    monkeypatch.setattr(collecting, "BATCH", 2)
    for number in range(3):
        db.session.add(
            Gateway(
                subscription_id=gateway.subscription_id, name=str(number), kind="fake", config={"host": "x"}, secrets={}
            )
        )
    db.session.commit()
    assert [collecting.collect_due() for _ in range(3)] == [2, 2, 0]


@pytest.mark.parametrize("error", [Unavailable(WORDS, "cut"), RuntimeError("a fault of ours")])
def test_after_a_failure_it_is_looked_at_later_and_nothing_is_paused(fetching, gateway, caplog, error):
    fetching.fails = [error]
    with caplog.at_level(logging.WARNING):
        assert collecting.collect_due() == 1
    assert is_in(next_look(gateway), collecting.AFTER_FAILURE)
    assert not gateway.is_paused
    assert gateway.id in caplog.text


def test_a_refused_login_pauses_the_gateway(fetching, gateway):
    fetching.fails = [Refused(WORDS)]
    collecting.collect_due()
    assert next_look(gateway)
    assert gateway.is_paused
    assert gateway.paused_reason == {"da": "Ord.", "en": "Words."}
    assert not collecting.due()


def test_one_gateway_that_fails_keeps_no_other_waiting(sent, left, fetching, gateway):
    broken = Gateway(
        subscription_id=gateway.subscription_id, name="Brudt", kind="fake", config={"host": "broken"}, secrets={}
    )
    broken.collect_at = utcnow() - timedelta(days=1)
    gateway.collect_at = utcnow() - timedelta(hours=1)
    db.session.add(broken)
    db.session.commit()
    delivery = sent()
    fetching.fails, fetching.shelf = [Unavailable(WORDS)], {"svar.edi": answer(contrl())}
    assert collecting.collect_due() == 2
    assert fetching.looks == ["broken", "partner.example"]
    assert left(delivery).state is S.DELIVERED


def test_what_cannot_be_kept_is_not_taken_away(fetching, gateway, monkeypatch):
    def full(_content):
        raise archive.ArchiveUnavailable(WORDS)

    monkeypatch.setattr(archive, "store", full)
    fetching.shelf = {"svar.edi": b"UNB"}
    collecting.collect_due()
    assert fetching.shelf == {"svar.edi": b"UNB"}
    assert is_in(next_look(gateway), collecting.AFTER_FAILURE)


def test_what_the_partner_does_not_let_us_take_away_counts_once(sent, left, fetching, gateway):
    delivery = sent()
    fetching.shelf, fetching.stays = {"svar.edi": answer(contrl())}, True
    for _ in range(3):
        gateway.collect_at = None
        db.session.commit()
        collecting.collect_due()
    assert left(delivery).kinds == ["contrl"]
    assert db.session.query(IncomingMessage).one().times == 3


def test_what_breaks_the_matching_is_kept_and_taken_away(fetching, gateway, monkeypatch):
    def broken(_message_id):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(collecting.matching, "match", broken)
    fetching.shelf = {"svar.edi": answer(contrl())}
    collecting.collect_due()
    assert fetching.shelf == {}
    assert db.session.query(IncomingMessage).one().state is IncomingState.WAITING


def test_a_gateway_has_so_much_time_and_the_rest_comes_next_time(fetching, gateway, monkeypatch):
    monkeypatch.setattr(collecting, "_BUDGET", -1)
    fetching.shelf = {"a.edi": b"1", "b.edi": b"2"}
    collecting.collect_due()
    assert list(fetching.shelf) == ["b.edi"]


def test_where_all_connections_to_the_machine_are_taken_it_is_looked_at_soon(fetching, gateway):
    with slots.taken("partner.example", 2), slots.taken("partner.example", 2):
        collecting.collect_due()
    assert fetching.looks == []
    assert next_look(gateway) - utcnow() < timedelta(seconds=30)


@pytest.fixture
def mailbox(tmp_path):
    server = SftpServer(tmp_path / "vans", tmp_path / "host_key")
    (server.folder / "ud").mkdir()
    yield server
    server.close()


@pytest.mark.server
def test_a_real_mailbox_over_sftp_is_emptied(sent, left, gateway, mailbox, monkeypatch):
    monkeypatch.setattr("invoiceapp.gateways.vans.inbox.SETTLE", 0)
    values = {
        "carrier": "sftp", "mailbox": "5790000000005", "inbox": "/ud", "expects": "contrl", "sftp_host": "127.0.0.1",
        "sftp_port": str(mailbox.port), "sftp_username": DEMO_USER, "sftp_password": DEMO_PASSWORD,
        "sftp_host_key": mailbox.host_key,
    }  # fmt: skip
    made = gateways.save(gateway.subscription_id, "vans", "Operatør", values)
    delivery = sent()
    delivery.gateway_id = made.id
    db.session.commit()
    (mailbox.folder / "ud" / "svar.edi").write_bytes(answer(contrl()))
    (mailbox.folder / "ud" / "half.part").write_bytes(b"UNB")
    assert collecting.collect_due() == 1
    assert left(delivery).state is S.DELIVERED
    assert [path.name for path in (mailbox.folder / "ud").iterdir()] == ["half.part"]
    assert storing._known(made.id, archive.store(answer(contrl()))).state is IncomingState.MATCHED
