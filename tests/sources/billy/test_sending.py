"""What Billy says of its own sendings: by e-mail and as e-invoices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from invoiceapp.sources.base import Channel, CredentialsRefused, SourceUnavailable
from invoiceapp.sources.billy.sending import einvoiced, emailed
from invoiceapp.sources.billy.source import BillySource

MAIL, EINVOICE = frozenset({Channel.EMAIL}), frozenset({Channel.EINVOICE})
PDF = b"%PDF-1.7"


def log(kind: str, time: str = "2026-07-30T16:00:00Z", **more: Any) -> dict[str, Any]:
    return {"type": kind, "message": f"{kind}!", "messageKey": f"delivery.{kind}", "eventTime": time, **more}


@pytest.mark.parametrize("state", [None, "", "unsent", "printed"])
def test_what_was_not_mailed_is_not_said_to_be(state):
    assert emailed({"sentState": state}) is None


def test_a_billy_without_sent_states_has_not_mailed():
    assert emailed({}) is None


@pytest.mark.parametrize("state", ["sent", "opened", "viewed", "resent", "teleported"])
def test_what_was_mailed_or_may_have_been_names_billys_own_word(state):
    found = emailed({"sentState": state})
    assert found.channel is Channel.EMAIL and found.at is None and state in found.detail
    assert (found.means is None) is (state == "sent")


@pytest.mark.parametrize("kinds", [[], ["failed"], ["created", "failed"]])
def test_no_e_invoice_or_one_that_failed_is_none(kinds):
    logs = [log(kind, f"2026-07-30T16:0{number}:00Z") for number, kind in enumerate(kinds)]
    assert einvoiced(logs) is None and einvoiced(reversed(logs)) is None


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (["received"], "received"),
        (["received", "signedoff"], "signedoff"),
        (["received", "failed"], "received"),
        (["failed", "received"], "received"),
        (["failed", "created"], "created"),
        (["something new"], "something new"),
    ],
)
def test_an_e_invoice_that_arrived_or_may_be_on_its_way_is_told_with_its_time(kinds, told):
    logs = [log(kind, f"2026-07-30T16:0{number}:00Z") for number, kind in enumerate(kinds)]
    found = einvoiced(reversed(logs))
    assert found.channel is Channel.EINVOICE and found.detail == f"{told}: {told}!"
    assert found.at == datetime(2026, 7, 30, 16, kinds.index(told), tzinfo=UTC)


@pytest.mark.parametrize("time", [None, "yesterday", 17, "2026-07-30T16:00:00"])
def test_a_time_that_cannot_be_read_breaks_nothing(time):
    found = einvoiced([{"type": "received", "eventTime": time}])
    assert found.detail == "received" and (found.at is None) == (time != "2026-07-30T16:00:00")


def test_entries_without_a_kind_break_nothing():
    assert einvoiced([{}, {"type": None}, {"type": {"a": 1}}]).detail == "?"


@pytest.mark.server
class TestAskingBilly:
    @pytest.fixture(autouse=True)
    def _invoice(self, billy: Any, make_invoice):
        billy.on("/invoices/inv1", {"invoice": make_invoice(organizationId="company")})

    def test_both_channels_and_the_pdf_take_one_look_at_the_invoice(
        self, source: BillySource, billy: Any, make_invoice
    ):
        address = f"{billy.url}/1042.pdf"
        billy.on("/invoices/inv1", {"invoice": make_invoice(sentState="opened", downloadUrl=address)})
        billy.on("/invoiceLogs", {"invoiceLogs": [log("received")]})
        billy.on("/1042.pdf", billy.reply(200, PDF))
        found = source.already_sent("inv1")
        assert [one.channel for one in found] == [Channel.EMAIL, Channel.EINVOICE]
        assert source.pdf("inv1") == PDF and billy.paths().count("/invoices/inv1") == 1
        assert source.pdf("inv1") == PDF and billy.paths().count("/invoices/inv1") == 2, "an address works once"

    def test_the_record_of_another_invoice_is_not_used_for_a_pdf(self, source: BillySource, billy: Any, make_invoice):
        billy.on("/invoices/inv1", {"invoice": make_invoice(downloadUrl=f"{billy.url}/1.pdf")})
        billy.on("/invoices/inv2", {"invoice": make_invoice(id="inv2", downloadUrl=None)})
        source.already_sent("inv1", MAIL)
        assert source.pdf("inv2") is None

    def test_it_is_asked_anew_every_time(self, source: BillySource, billy: Any, make_invoice):
        answers = [{"invoice": make_invoice(sentState=state)} for state in ("unsent", "sent")]
        billy.on("/invoices/inv1", *answers)
        assert [len(source.already_sent("inv1", MAIL)) for _ in answers] == [0, 1]

    def test_only_what_is_asked_for_is_looked_up(self, source: BillySource, billy: Any, make_invoice):
        billy.on("/invoices/inv1", {"invoice": make_invoice(sentState="sent", organizationId="company")})
        source.already_sent("inv1", MAIL)
        assert billy.paths() == ["/invoices/inv1"]
        billy.on("/invoiceLogs", {"invoiceLogs": []})
        assert source.already_sent("inv1", EINVOICE) == [] and billy.paths()[1:] == ["/invoices/inv1", "/invoiceLogs"]
        assert (
            billy.requests[-1].params["invoiceId"] == "inv1"
            and billy.requests[-1].params["organizationId"] == "company"
        )

    def test_entries_of_other_invoices_do_not_count(self, source: BillySource, billy: Any):
        billy.on("/invoiceLogs", {"invoiceLogs": [log("received", id="1", invoiceId="other")]})
        assert source.already_sent("inv1", EINVOICE) == []
        billy.on("/invoiceLogs", {"invoiceLogs": [log("received", id="1", invoiceId="inv1")]})
        assert len(source.already_sent("inv1", EINVOICE)) == 1

    @pytest.mark.parametrize(("status", "code"), [(404, "UNKNOWN_RESOURCE"), (404, "RECORD_NOT_FOUND"), (400, "OTHER")])
    def test_a_billy_without_such_a_log_has_no_answer(self, source: BillySource, billy: Any, status, code):
        billy.on("/invoiceLogs", billy.error(status, code))
        assert source.already_sent("inv1", EINVOICE) == []

    @pytest.mark.parametrize(("status", "error"), [(500, SourceUnavailable), (401, CredentialsRefused)])
    def test_a_billy_that_cannot_answer_is_an_error(self, source: BillySource, billy: Any, status, error):
        billy.on("/invoiceLogs", billy.error(status, "OTHER"))
        with pytest.raises(error):
            source.already_sent("inv1", EINVOICE)
