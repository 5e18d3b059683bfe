from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from sqlalchemy import select

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Unavailable
from invoiceapp.models import Attempt, Event, Gateway, Receipt, db
from invoiceapp.services import secrets
from invoiceapp.services.configuration import gateways
from invoiceapp.services.export import delivery

CANARY = "kanariefugl-Kodeord-7391"
PLACE = "gateway/1/password"
FIELDS = (
    Field("host", Text("Server", "Server")),
    Field("password", Text("Kode", "Password"), secret=True, required=True),
)


def test_a_secret_comes_back_in_its_place_only(app):
    stored = secrets.encrypt("æble", PLACE)
    assert secrets.decrypt(stored, PLACE) == "æble" and "æble" not in stored
    for other in ("gateway/2/password", "gateway/1/token", ""):
        with pytest.raises(secrets.SecretUnreadable):
            secrets.decrypt(stored, other)


def test_the_same_secret_never_looks_the_same(app):
    assert secrets.encrypt("x", PLACE) != secrets.encrypt("x", PLACE)


@pytest.mark.parametrize(
    "damage", [lambda s: s[:-4] + "AAAA", lambda s: s[:20], lambda s: "", lambda s: "v1.k9." + s[6:]]
)
def test_a_damaged_value_is_unreadable_and_says_what_to_do(app, damage):
    with pytest.raises(secrets.SecretUnreadable) as caught:
        secrets.decrypt(damage(secrets.encrypt("x", PLACE)), PLACE)
    assert "Skriv adgangskoden igen" in caught.value.text.da


def test_keys_are_changed_by_putting_a_new_one_first(app, config, second_key):
    old = secrets.encrypt("x", PLACE)
    app.extensions["invoiceapp.config"] = replace(config, encryption_keys=(second_key, *config.encryption_keys))
    new = secrets.encrypt("y", PLACE)
    assert (secrets.decrypt(old, PLACE), secrets.decrypt(new, PLACE)) == ("x", "y")
    assert old.startswith("v1.k1.") and new.startswith("v1.k2.")
    app.extensions["invoiceapp.config"] = replace(config, encryption_keys=(second_key,))
    assert secrets.decrypt(new, PLACE) == "y"
    with pytest.raises(secrets.SecretUnreadable):
        secrets.decrypt(old, PLACE)


@pytest.mark.parametrize("key", ["local:c2hvcnQ", "local:" + "-_" * 24])
def test_any_text_of_a_key_works(app, config, key):
    app.extensions["invoiceapp.config"] = replace(config, encryption_keys=(key,))
    assert secrets.decrypt(secrets.encrypt("x", PLACE), PLACE) == "x"


def test_what_may_be_shown_is_split_from_what_is_sealed(app):
    shown, sealed = secrets.seal(FIELDS, {"host": "a", "password": CANARY}, {}, "gateway/1")
    assert shown == {"host": "a"} and CANARY not in str(sealed)
    assert secrets.unseal(shown, sealed, "gateway/1") == {"host": "a", "password": CANARY}


def test_an_empty_secret_keeps_the_stored_one(app):
    _, sealed = secrets.seal(FIELDS, {"host": "a", "password": CANARY}, {}, "gateway/1")
    shown, again = secrets.seal(FIELDS, {"host": "b", "password": ""}, sealed, "gateway/1")
    assert secrets.unseal(shown, again, "gateway/1") == {"host": "b", "password": CANARY}


def test_a_stored_secret_makes_its_field_optional(app):
    assert [field.required for field in secrets.optional_where_kept(FIELDS, {"password": "v1…"})] == [False, False]
    assert [field.required for field in secrets.optional_where_kept(FIELDS, {})] == [False, True]


@pytest.mark.parametrize("failure", [Refused, Unavailable, ZeroDivisionError])
def test_a_secret_appears_nowhere_after_a_failing_send(ready, partner, gateway, caplog, failure):
    caplog.set_level(logging.DEBUG)
    gateways.save(gateway.subscription_id, "fake", "Partner", {"host": "h", "password": CANARY}, gateway.id)
    no = Text("Nej.", "No.")
    partner.outcomes.append(failure() if failure is ZeroDivisionError else failure(no, "refused"))
    row = ready()
    delivery.deliver_due()
    assert gateways.open_transport(db.session.get_one(Gateway, gateway.id)).config["password"] == CANARY
    seen = [
        gateway.config,
        gateway.secrets,
        gateway.paused_reason,
        repr(gateway),
        str(gateway),
        row.error,
        repr(row),
        caplog.text,
    ]
    seen += [event.data for event in db.session.scalars(select(Event))]
    seen += [(attempt.wire_ids, attempt.error) for attempt in db.session.scalars(select(Attempt))]
    seen += [receipt.evidence for receipt in db.session.scalars(select(Receipt))]
    assert CANARY not in str(seen)


@pytest.fixture
def stored(app, config, gateway, adaptor):
    """Two rows with secrets under the key k1."""
    gateway.secrets = {"password": secrets.encrypt("a", f"gateway/{gateway.id}/password")}
    adaptor.source_secrets = {"token": secrets.encrypt("b", f"adaptor/{adaptor.id}/token")}
    db.session.commit()
    return gateway, adaptor


def opened(gateway, adaptor):
    return (
        secrets.decrypt(gateway.secrets["password"], f"gateway/{gateway.id}/password"),
        secrets.decrypt(adaptor.source_secrets["token"], f"adaptor/{adaptor.id}/token"),
    )


def test_after_a_rotation_the_old_key_is_not_needed_any_more(app, config, stored, second_key):
    app.extensions["invoiceapp.config"] = replace(config, encryption_keys=(second_key, *config.encryption_keys))
    done = secrets.rotate()
    assert (done.rewritten, done.current, done.unreadable) == (2, 0, [])
    app.extensions["invoiceapp.config"] = replace(config, encryption_keys=(second_key,))
    db.session.expire_all()
    assert opened(*stored) == ("a", "b")
    again = secrets.rotate()
    assert (again.rewritten, again.current, again.unreadable) == (0, 2, [])


def test_a_rotation_names_what_no_key_opens_and_leaves_it(app, config, stored, second_key):
    gateway, adaptor = stored
    lost = gateway.secrets
    adaptor.source_secrets = {}
    db.session.commit()
    app.extensions["invoiceapp.config"] = replace(config, encryption_keys=(second_key,))
    done = secrets.rotate()
    assert (done.rewritten, done.current) == (0, 0)
    assert done.unreadable == [f"gateway/{gateway.id}/password ({gateway.name})"]
    db.session.refresh(gateway)
    assert gateway.secrets == lost
