"""File names and mail addresses from the customer's settings, from conversion to the wire."""

from __future__ import annotations

from typing import Any

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Unavailable
from invoiceapp.models import Customer, Delivery, ExportRule, Rendition, db, utcnow
from invoiceapp.services.export import actions, conversion, delivery

S = DeliveryState
OWN = "{customer-number}-{order}-{number}-{key8}"


def settle(**gateway: str) -> None:
    """Settings of the document's customer."""
    rule = db.session.query(ExportRule).one()
    rule.settings = {"gateway": gateway} if gateway else {}
    db.session.commit()


def make_due() -> None:
    db.session.query(Delivery).one().next_at = utcnow()
    db.session.commit()


@pytest.fixture
def document(queued: Any) -> Any:
    """A queued document of customer number 42."""
    row = queued()
    db.session.query(Customer).one().number = "42"
    db.session.commit()
    return row


def stems(partner: Any, template: str = "{type}_{number}_{key8}") -> list[str]:
    return [sent.stem(template) for sent in partner.sent]


def test_without_a_template_the_gateway_names_the_files(document, partner):
    conversion.convert_due()
    delivery.deliver_due()
    key = partner.sent[0].key
    assert partner.sent[0].payload.filename == "invoice-1001.xml"
    assert stems(partner) == [f"invoice_1001_{key[:8]}"]
    assert partner.sent[0].stem("{customer-number}.{number}") == "42.1001", "every token has its value"


def test_the_customers_template_names_the_rendition_and_the_file_on_the_wire(document, partner):
    settle(fileName=OWN)
    order = document.bundle["invoice"].get("orderNo") or ""
    conversion.convert_due()
    row = db.session.query(Delivery).one()
    name = "-".join(part for part in ("42", order, "1001", row.idem_key[:8]) if part)
    assert db.session.query(Rendition).one().filename == f"{name}.xml"
    delivery.deliver_due()
    assert stems(partner) == [name]


def test_a_common_template_holds_for_customers_without_one(document, partner, adaptor):
    adaptor.settings = {"gateway": {"fileName": "faelles-{number}"}}
    db.session.commit()
    conversion.convert_due()
    delivery.deliver_due()
    assert stems(partner) == ["faelles-1001"]
    assert partner.sent[0].payload.filename == "faelles-1001.xml"


def test_a_retry_keeps_its_name_whatever_was_set_meanwhile(document, partner):
    settle(fileName=OWN)
    conversion.convert_due()
    partner.outcomes.append(Unavailable(Text("Nej", "No")))
    delivery.deliver_due()
    settle(fileName="helt-andet-{number}")
    make_due()
    delivery.deliver_due()
    settle()
    assert len(partner.sent) == 2
    assert partner.sent[0].key == partner.sent[1].key
    assert len(set(stems(partner))) == 1


def test_a_deliberate_second_sending_keeps_the_template_and_takes_its_own_key(document, partner):
    settle(fileName="{number}-{key8}")
    conversion.convert_due()
    delivery.deliver_due()
    settle()
    actions.send_again(db.session.query(Delivery).one(), "ida@example.com", "Modtageren har mistet den")
    delivery.deliver_due()
    assert stems(partner) == [f"1001-{sent.key[:8]}" for sent in partner.sent]
    assert len(set(stems(partner))) == 2


def test_a_document_of_an_older_release_has_the_gateways_name(ready, partner):
    ready("77", idem_key="abcdefghij")
    delivery.deliver_due()
    assert stems(partner) == ["invoice_77_abcdefgh"]


def test_the_customers_address_for_invoices_goes_before_the_one_in_the_books(document, partner):
    db.session.query(Customer).one().email = "bogholderi@example.com"
    db.session.commit()
    conversion.convert_due()
    partner.outcomes.append(Unavailable(Text("Nej", "No")))
    delivery.deliver_due()
    settle(receiverEmail="faktura@example.com")
    make_due()
    delivery.deliver_due()
    assert [sent.receiver_email for sent in partner.sent] == ["bogholderi@example.com", "faktura@example.com"]
