from __future__ import annotations

from datetime import timedelta

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Expiry
from invoiceapp.models import Environment, Event, Gateway, db, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.configuration import gateways, samples
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput, ServiceError

S = DeliveryState
SFTP = {"host": "sftp.example.com", "username": "firma", "password": "hemmelig-kode"}


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


def test_a_person_who_pauses_is_named_with_the_reason(gateway):
    gateways.pause_by_person(gateway.id, "ida@example.com", "  De flytter\nserver.  ")
    gateways.pause_by_person(gateway.id, "bo@example.com", "For sent")
    db.session.refresh(gateway)
    said = {"da": "De flytter server.", "en": "De flytter server.", "by": "ida@example.com"}
    assert gateway.paused_reason == said
    event = db.session.query(Event).filter_by(kind="gateway_paused").one()
    assert (event.actor, event.data["gateway"], event.data["da"]) == ("ida@example.com", gateway.id, said["da"])


def test_a_pause_without_words_still_says_that_a_person_made_it(gateway):
    gateways.pause_by_person(gateway.id, "ida@example.com")
    db.session.refresh(gateway)
    assert "af en person" in gateway.paused_reason["da"] and gateway.paused_reason["by"] == "ida@example.com"


def test_resuming_tells_who_did_it_and_lets_a_resting_gateway_try_at_once(gateway):
    gateway.failures, gateway.failing_since, gateway.retry_at = 7, utcnow(), utcnow() + timedelta(hours=1)
    db.session.commit()
    gateways.resume(gateway.id, "ida@example.com")
    db.session.refresh(gateway)
    assert (gateway.failures, gateway.failing_since, gateway.retry_at) == (0, None, None)
    assert db.session.query(Event).filter_by(kind="gateway_resumed").count() == 0, "it was not paused"
    gateways.pause_by_person(gateway.id, "ida@example.com")
    gateways.resume(gateway.id, "bo@example.com")
    assert db.session.query(Event).filter_by(kind="gateway_resumed").one().actor == "bo@example.com"


def test_changed_settings_end_a_rest(gateway):
    gateway.retry_at = utcnow() + timedelta(hours=1)
    db.session.commit()
    gateways.save(gateway.subscription_id, "fake", gateway.name, {"host": "partner.example"}, gateway.id)
    db.session.refresh(gateway)
    assert gateway.retry_at is not None, "nothing was changed"
    gateways.save(gateway.subscription_id, "fake", gateway.name, {"host": "other.example"}, gateway.id)
    db.session.refresh(gateway)
    assert gateway.retry_at is None


def test_a_check_remembers_what_the_server_showed(gateway, partner, monkeypatch):
    def check(self):
        self.seen["host_key"] = "SHA256:abc"
        return []

    monkeypatch.setattr(partner, "check", check)
    gateways.check(gateway.id)
    db.session.refresh(gateway)
    assert gateway.seen["host_key"] == "SHA256:abc" and gateway.seen["at"]


@pytest.mark.parametrize("how", ["check", "sample"])
def test_a_secret_that_the_partner_replaced_meanwhile_is_kept(gateway, partner, monkeypatch, how):
    """Else the next sending would show one that the partner does not take any more."""
    gateway.secrets = {"password": secrets.encrypt("old", f"gateway/{gateway.id}/password")}
    db.session.commit()

    def replaces(self, *_consignment):
        assert self.config["password"] == "old"
        self.renewed["password"] = "new"
        return [] if how == "check" else partner.received(*_consignment)

    monkeypatch.setattr(partner, "check" if how == "check" else "send", replaces)
    if how == "check":
        gateways.check(gateway.id)
    else:
        samples.send(gateway.id, "edifact-d96a", "", "ida@example.com")
    assert gateways.unsealed(db.session.get_one(Gateway, gateway.id, populate_existing=True))["password"] == "new"


def test_a_save_reads_anew_what_ends(gateway, partner, monkeypatch):
    ends = utcnow() + timedelta(days=3)

    def expiries(cls, config):
        return [Expiry("password", Text("Kode", "Password"), ends)] if config["password"] == "gammel" else []

    monkeypatch.setattr(partner, "expiries", classmethod(expiries))
    form = {"host": "partner.example", "password": "gammel"}
    row = gateways.save(gateway.subscription_id, "fake", "A", form, gateway.id)
    assert [(one["field"], one["ends"]) for one in row.expiries] == [("password", ends.isoformat())]
    row = gateways.save(gateway.subscription_id, "fake", "A", form | {"password": "ny"}, gateway.id)
    assert row.expiries == []


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


@pytest.mark.parametrize("kind", sorted(gateways.kinds()))
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
