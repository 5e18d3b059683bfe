from __future__ import annotations

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import ExportRule, Problem, db, utcnow
from invoiceapp.services.configuration import gateway_usage, gateways

S = DeliveryState
SFTP = {"host": "sftp.example.com", "username": "firma", "password": "hemmelig-kode"}


def test_a_gateway_is_deleted_only_where_nothing_needs_it(adaptor, gateway, make_customer, ready):
    customer = make_customer("Sovende", active=False)
    usage = gateway_usage.usage(gateway.id)
    assert [(row.id, count) for row, count in usage.customers] == [(adaptor.id, 1)] and not usage.has_history
    with pytest.raises(gateway_usage.InUse):
        gateway_usage.delete(gateway.id)
    db.session.delete(customer.rule)
    db.session.commit()
    sent = gateways.save(adaptor.subscription_id, "sftp", "Anden", SFTP)
    gateway_usage.delete(gateway.id)
    assert [row.id for row in gateways.of_subscription(adaptor.subscription_id)] == [sent.id]


def test_what_was_sent_through_a_gateway_keeps_it(adaptor, gateway, ready):
    ready("1", S.DELIVERED)
    db.session.delete(db.session.query(ExportRule).one())
    db.session.commit()
    usage = gateway_usage.usage(gateway.id)
    assert (usage.customers, usage.default_of, usage.unfinished, usage.has_history) == ([], [], 0, True)
    with pytest.raises(gateway_usage.InUse):
        gateway_usage.delete(gateway.id)


def test_what_was_once_wrong_with_a_gateway_does_not_keep_it(adaptor, gateway):
    past = Problem(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, key="x", level="adaptor", rule="gateway-failing",
        turn="here", text={"da": "Svarer ikke.", "en": "Does not answer."}, gateway_id=gateway.id, resolved_at=utcnow(),
    )  # fmt: skip
    db.session.add(past)
    db.session.commit()
    gateway_usage.delete(gateway.id)
    assert gateways.of_subscription(adaptor.subscription_id) == [] and past.gateway_id is None
