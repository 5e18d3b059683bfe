from __future__ import annotations

from datetime import timedelta

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep
from invoiceapp.models import Environment, ExportRule, Gateway, db, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.configuration import gateways
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError

S = DeliveryState
FINGERPRINT = "SHA256:" + "A" * 43
SFTP = {"host": "sftp.example.com", "username": "firma", "password": "hemmelig-kode"}


def shown_step(ok: bool = False) -> CheckStep:
    detail = Text(f"Serverens nøgle er {FINGERPRINT}.", f"The server's key is {FINGERPRINT}.")
    return CheckStep(Text("Nøgle", "Key"), ok, detail)


def test_a_gateway_keeps_what_may_be_shown_apart_from_its_secrets(subscription):
    row = gateways.save(subscription.id, "sftp", "  Vores SFTP ", SFTP)
    assert row.name == "Vores SFTP" and row.config["host"] == "sftp.example.com"
    assert "password" not in row.config and "hemmelig" not in str(row.config) + str(row.secrets)
    with gateways.open_transport(row) as transport:
        assert transport.config["password"] == "hemmelig-kode"


def test_changing_a_gateway_without_its_password_keeps_the_password(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP)
    changed = gateways.save(subscription.id, "sftp", "B", SFTP | {"password": "", "folder": "/ind"}, row.id)
    assert changed.id == row.id and changed.config["folder"] == "/ind"
    with gateways.open_transport(changed) as transport:
        assert transport.config["password"] == "hemmelig-kode"


def test_a_kept_password_does_not_follow_to_another_server(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP)
    with pytest.raises(InvalidInput) as caught:
        gateways.save(subscription.id, "sftp", "A", SFTP | {"password": "", "host": "other.example.com"}, row.id)
    assert "password" in caught.value.errors
    moved = gateways.save(
        subscription.id, "sftp", "A", SFTP | {"password": "en-ny-kode", "host": "other.example.com"}, row.id
    )
    with gateways.open_transport(moved) as transport:
        assert transport.config["password"] == "en-ny-kode"


def test_wrong_input_is_refused_field_by_field_and_nothing_is_kept(subscription):
    with pytest.raises(InvalidInput) as caught:
        gateways.save(subscription.id, "sftp", " ", SFTP | {"host": "", "port": "many"})
    assert {"name", "host", "port"} <= set(caught.value.errors)
    assert db.session.query(Gateway).count() == 0


def test_a_refused_change_leaves_the_gateway_as_it_was(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP)
    with pytest.raises(InvalidInput):
        gateways.save(subscription.id, "sftp", "B", SFTP | {"port": "many"}, row.id)
    assert db.session.get_one(Gateway, row.id, populate_existing=True).name == "A"


def test_a_copied_ciphertext_does_not_open_in_another_gateway(subscription):
    first, second = gateways.save(subscription.id, "sftp", "A", SFTP), gateways.save(subscription.id, "sftp", "B", SFTP)
    second.secrets = dict(first.secrets)
    db.session.commit()
    with pytest.raises(secrets.SecretUnreadable):
        gateways.open_transport(second)


def test_a_kind_that_is_not_installed_is_refused_with_words(gateway):
    gateway.kind = "pigeon"
    with pytest.raises(ServiceError) as caught:
        gateways.open_transport(gateway)
    assert "»pigeon«" in caught.value.text.da


def test_pausing_keeps_the_first_reason(gateway):
    for reason in ("første", "anden"):
        with transaction():
            gateways.pause(gateway.id, Text(reason, reason))
    assert gateway.is_paused and gateway.paused_reason["da"] == "første"


def test_resuming_makes_everything_due_that_was_tried_and_ends_no_hold(gateway, ready):
    row = ready(next_at=utcnow() + timedelta(hours=5), tries=3)
    held = ready("3", next_at=utcnow() + timedelta(hours=5))
    sent = ready("2", S.DELIVERED, next_at=None)
    gateway.paused_at = utcnow()
    db.session.commit()
    assert gateways.waiting([gateway.id]) == {gateway.id: 2}
    gateways.resume(gateway.id)
    assert not gateway.is_paused and gateway.paused_reason is None
    assert row.next_at <= utcnow() < held.next_at and sent.next_at is None


def test_gateways_of_one_subscription_by_name(subscription, adaptor):
    for name in ("B", "A"):
        gateways.save(subscription.id, "sftp", name, SFTP)
    assert [row.name for row in gateways.of_subscription(subscription.id)] == ["A", "B"]
    assert gateways.of_subscription("nobody") == []


def test_an_unconfirmed_server_key_is_advised_against(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP)
    assert "IA-SFTP-HOST-KEY" in {finding.rule for finding in gateways.advice(row)}


def test_a_shown_server_key_can_be_confirmed_once(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP)
    assert gateways.shown_host_key(row, [shown_step(ok=True)]) is None
    assert gateways.shown_host_key(row, [shown_step()]) == FINGERPRINT
    gateways.trust_host_key(row.id, FINGERPRINT)
    assert row.config["host_key"] == FINGERPRINT
    assert gateways.shown_host_key(row, [shown_step()]) is None, "a changed key is never one click away"
    with pytest.raises(Conflict):
        gateways.trust_host_key(row.id, "SHA256:" + "B" * 43)
    assert row.config["host_key"] == FINGERPRINT


def test_a_server_key_of_a_wrong_form_is_refused(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP)
    with pytest.raises(InvalidInput) as caught:
        gateways.trust_host_key(row.id, "trust me")
    assert set(caught.value.errors) == {"host_key"} and not row.config.get("host_key")


def test_kinds_without_a_server_key_have_none_to_confirm(gateway):
    assert gateways.shown_host_key(gateway, [shown_step()]) is None
    with pytest.raises(Conflict):
        gateways.trust_host_key(gateway.id, FINGERPRINT)


@pytest.mark.parametrize("kind", ["sftp", "email"])
def test_every_kind_has_help_in_both_languages(app, kind):
    danish, english = gateways.help_of(kind, "da"), gateways.help_of(kind, "en")
    assert danish and english and danish != english


def test_a_gateway_keeps_its_environment_where_a_caller_names_none(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP, environment="test")
    assert gateways.save(subscription.id, "sftp", "A", SFTP, row.id).environment is Environment.TEST


def test_two_gateways_have_two_names(subscription):
    row = gateways.save(subscription.id, "sftp", "Æble", SFTP)
    with pytest.raises(InvalidInput) as caught:
        gateways.save(subscription.id, "sftp", " æBLE ", SFTP)
    assert set(caught.value.errors) == {"name"}
    assert gateways.save(subscription.id, "sftp", "ÆBLE", SFTP, row.id).name == "ÆBLE"


def test_a_changed_password_is_noticed_too(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP)
    shown = gateways.version(row)
    gateways.save(subscription.id, "sftp", "A", SFTP | {"password": "en-anden"}, row.id)
    with pytest.raises(ChangedMeanwhile):
        gateways.keep(subscription.id, "sftp", "B", SFTP | {"password": ""}, row.id, shown=shown)
    assert db.session.get_one(Gateway, row.id, populate_existing=True).name == "A"


def test_a_save_that_changes_nothing_is_in_nobodys_way(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP)
    kept = {**row.config, **SFTP, "password": ""}
    raw = {name: str(value) for name, value in kept.items() if value is not None}
    assert gateways.keep(subscription.id, "sftp", "A", raw, row.id, shown="old").gateway.name == "A"


def test_only_deliveries_of_test_adaptors_stop_when_a_gateway_goes_live(adaptor, gateway, ready):
    row = ready()
    gateway.environment = Environment.TEST
    db.session.commit()
    form = {"host": "partner.example"}
    live = gateways.keep(adaptor.subscription_id, "fake", "G", form, gateway.id, environment="live")
    assert (live.held_back, row.state) == (0, S.PENDING)
    gateway.environment = adaptor.environment = Environment.TEST
    db.session.commit()
    live = gateways.keep(adaptor.subscription_id, "fake", "G", form, gateway.id, environment="live")
    db.session.refresh(row)
    assert (live.held_back, row.state) == (1, S.BLOCKED)
    assert gateways.keep(adaptor.subscription_id, "fake", "G", form, gateway.id, environment="test").released == 1


def test_a_gateway_is_deleted_only_where_nothing_needs_it(adaptor, gateway, make_customer, ready):
    customer = make_customer("Sovende", active=False)
    usage = gateways.usage(gateway.id)
    assert [(row.id, count) for row, count in usage.customers] == [(adaptor.id, 1)] and not usage.has_history
    with pytest.raises(gateways.InUse):
        gateways.delete(gateway.id)
    db.session.delete(customer.rule)
    db.session.commit()
    sent = gateways.save(adaptor.subscription_id, "sftp", "Anden", SFTP)
    gateways.delete(gateway.id)
    assert [row.id for row in gateways.of_subscription(adaptor.subscription_id)] == [sent.id]


def test_what_was_sent_through_a_gateway_keeps_it(adaptor, gateway, ready):
    ready("1", S.DELIVERED)
    db.session.delete(db.session.query(ExportRule).one())
    db.session.commit()
    usage = gateways.usage(gateway.id)
    assert (usage.customers, usage.default_of, usage.unfinished, usage.has_history) == ([], [], 0, True)
    with pytest.raises(gateways.InUse):
        gateways.delete(gateway.id)


def test_only_the_first_gateway_becomes_the_default_of_adaptors_without_one(subscription, adaptor):
    first = gateways.keep(subscription.id, "sftp", "A", SFTP)
    assert first.default_of == (adaptor,) and adaptor.default_gateway_id == first.gateway.id
    adaptor.default_gateway_id = None
    db.session.commit()
    assert gateways.keep(subscription.id, "sftp", "B", SFTP).default_of == ()
    assert gateways.keep(subscription.id, "sftp", "A", SFTP, first.gateway.id).default_of == ()
    assert adaptor.default_gateway_id is None


def test_a_live_gateway_does_not_become_the_default_of_a_test_adaptor(subscription, adaptor):
    adaptor.environment = Environment.TEST
    db.session.commit()
    assert gateways.keep(subscription.id, "sftp", "A", SFTP).default_of == ()
    assert adaptor.default_gateway_id is None


def test_a_stored_key_is_enough_without_a_password(subscription):
    only_key = {"host": "sftp.example.com", "username": "firma", "private_key": "noegle"}
    row = gateways.save(subscription.id, "sftp", "A", only_key)
    gateways.save(subscription.id, "sftp", "B", only_key | {"private_key": ""}, row.id)
    with pytest.raises(InvalidInput) as caught:
        gateways.save(subscription.id, "sftp", "C", only_key | {"private_key": ""})
    assert set(caught.value.errors) == {"password", "private_key"}
