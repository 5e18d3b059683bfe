from __future__ import annotations

from datetime import timedelta

import pytest
from support.answers import OURS, THEIRS, invoic

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.as2 import As2Transport
from invoiceapp.gateways.base import (
    CheckStep,
    Incoming,
    LaterReceipt,
    Refused,
    Rejected,
    Unavailable,
    Unknown,
    Unreadable,
    Verdict,
)
from invoiceapp.gateways.sftp import SftpTransport
from invoiceapp.gateways.vans import VansTransport

WORDS = Text("Ord.", "Words.")


def test_the_carrier_sends_and_its_receipt_counts(vans, edifact, carried):
    receipt = vans().send(edifact())
    assert [one.document_no for one in carried] == ["2026-17"]
    assert (receipt.reference, receipt.final, receipt.due) == ("/ind/x.edi", True, None)
    assert receipt.evidence == {"size": 7, "interchange": "17"}


@pytest.mark.parametrize("expects", ["contrl", "aperak"])
def test_a_receipt_is_not_final_where_an_answer_is_expected(vans, edifact, carried, expects):
    receipt = vans(expects=expects, inbox="/ud", answer_hours=5).send(edifact())
    assert (receipt.final, receipt.due, receipt.proves_arrival) == (False, timedelta(hours=5), True)


def test_a_file_of_another_sender_is_rejected_before_anything_leaves(vans, edifact, carried):
    with pytest.raises(Rejected) as error:
        vans().send(edifact(invoic(sender=THEIRS)))
    assert THEIRS in error.value.text.da
    assert OURS in error.value.text.en
    assert carried == []


def test_a_file_whose_envelope_cannot_be_read_is_rejected(vans, edifact, carried):
    with pytest.raises(Rejected):
        vans().send(edifact(b"UNA:+.? 'BGM+380'"))
    assert carried == []


def test_xml_passes_where_no_answer_is_expected(vans, consignment, carried):
    receipt = vans().send(consignment())
    assert len(carried) == 1
    assert receipt.evidence == {"size": 7}


def test_xml_is_rejected_where_only_edifact_can_be_answered(vans, consignment, carried):
    with pytest.raises(Rejected, match="not EDIFACT"):
        vans(expects="contrl", inbox="/ud").send(consignment())
    assert carried == []


@pytest.mark.parametrize("error", [Refused, Rejected, Unavailable, Unknown])
def test_what_the_carrier_raises_is_raised(vans, edifact, carried, error):
    carried.append(error(WORDS))
    with pytest.raises(error):
        vans().send(edifact())


@pytest.mark.parametrize(
    ("settings", "replay"),
    [
        ({}, Replay.SAFE),
        ({"sftp_consumes": True}, Replay.UNSAFE),
        ({"sftp_consumes": True, "expects": "contrl"}, Replay.SAFE),
        ({"carrier": "as2", "expects": "contrl"}, Replay.UNSAFE),
    ],
)
def test_a_repeat_is_safe_where_the_carrier_says_so_or_every_number_is_answered(vans, settings, replay):
    assert vans(**settings).replay is replay


def test_wire_ids_are_the_carriers_and_the_interchange_and_never_change(vans, edifact):
    first, second = vans().wire_ids(edifact()), vans().wire_ids(edifact())
    assert first == second == {"filename": "invoice_2026-17_mfrggzdf.edi", "interchange": "17"}


def test_xml_has_no_interchange(vans, consignment):
    assert "interchange" not in vans().wire_ids(consignment())


def test_file_names_know_the_mailboxes(vans, edifact):
    ids = vans(filename="{mailbox}_{partner}_{number}").wire_ids(edifact())
    assert ids["filename"] == f"{OURS}_{THEIRS}_2026-17.edi"


def test_the_carriers_machine_is_the_one_that_is_limited(vans):
    transport = vans(sftp_connections=7)
    assert (transport.host, transport.most_connections) == ("vans.example", 7)


def test_what_the_carrier_saw_is_seen(vans, monkeypatch):
    def check(self):
        self.seen["host_key"] = "SHA256:x"
        return []

    monkeypatch.setattr(SftpTransport, "check", check)
    transport = vans()
    transport.check()
    assert transport.seen == {"host_key": "SHA256:x"}


def _checked(transport, monkeypatch, *, ok):
    monkeypatch.setattr(SftpTransport, "check", lambda _self: [CheckStep(WORDS, ok, WORDS)])
    return transport.check()


@pytest.mark.parametrize(
    ("files", "told"),
    [([], "der ligger 0 filer."), ([("a", 1)], "der ligger 1 fil."), ([("a", 1), ("b", 2)], "der ligger 2 filer.")],
)
def test_a_check_looks_into_the_folder_with_answers(vans, monkeypatch, files, told):
    monkeypatch.setattr(SftpTransport, "list_files", lambda _self, folder: files * (folder == "/ud"))
    steps = _checked(vans(inbox="/ud"), monkeypatch, ok=True)
    assert [step.ok for step in steps] == [True, True]
    assert told in steps[-1].detail.da


def test_a_check_that_failed_looks_no_further(vans, monkeypatch):
    monkeypatch.setattr(SftpTransport, "list_files", lambda *_: pytest.fail("looked"))
    assert len(_checked(vans(inbox="/ud"), monkeypatch, ok=False)) == 1


def test_without_a_folder_nothing_is_looked_at_or_fetched(vans, monkeypatch):
    monkeypatch.setattr(SftpTransport, "list_files", lambda *_: pytest.fail("looked"))
    assert len(_checked(vans(), monkeypatch, ok=True)) == 1
    assert list(vans().fetch()) == []


def test_over_as2_nothing_is_fetched(vans):
    assert list(vans(carrier="as2", inbox="/ud").fetch()) == []


def test_requests_are_read_by_the_carrier(vans, monkeypatch):
    later = LaterReceipt(Verdict.ARRIVED, "mdn-1", {})
    monkeypatch.setattr(As2Transport, "key_of", lambda _self, incoming: incoming.name)
    monkeypatch.setattr(As2Transport, "read", lambda _self, _incoming, wire_ids: later if wire_ids else None)
    transport, incoming = vans(carrier="as2"), Incoming("the-key", b"mdn", {"content-type": "multipart/signed"})
    assert transport.key_of(incoming) == "the-key"
    assert transport.read(incoming, {"message_id": "x"}) == later


def test_a_carrier_without_requests_reads_none(vans):
    incoming = Incoming("x", b"mdn", {"content-type": "multipart/signed"})
    with pytest.raises(Unreadable):
        vans().key_of(incoming)
    with pytest.raises(Unreadable):
        vans().read(incoming, {})


def test_closing_closes_the_carrier(vans, monkeypatch):
    closed = []
    monkeypatch.setattr(SftpTransport, "close", lambda transport: closed.append(transport))
    with vans():
        pass
    assert len(closed) == 1


def test_no_secret_stands_in_errors_or_representations(vans, edifact, carried):
    transport: VansTransport = vans()
    with pytest.raises(Rejected) as error:
        transport.send(edifact(invoic(sender="X")))
    assert "S3CR3T" not in f"{error.value!r} {error.value.detail} {transport!r}"
