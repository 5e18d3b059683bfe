from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused
from invoiceapp.gateways.dropbox import DropboxTransport
from invoiceapp.models import Gateway, Subscription, db
from invoiceapp.services.configuration import authorizations, gateways
from invoiceapp.services.configuration.authorizations import NotAuthorized, Pending
from invoiceapp.services.errors import Conflict

BACK = "http://localhost/gateways/authorized"
FORM = {"app_key": "abc", "app_secret": "S3CR3T-app"}


@pytest.fixture
def row(subscription: Subscription) -> Gateway:
    return gateways.save(subscription.id, "dropbox", "Vores Dropbox", FORM)


@pytest.fixture
def pending(row: Gateway) -> Pending:
    return authorizations.begin(row.id, "user", BACK)[1]


@pytest.fixture
def partner(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the partner is asked; it gives a token that depends on the code."""
    asked: list[Any] = []

    def authorized(self: DropboxTransport, code: str, verifier: str, redirect_uri: str) -> dict[str, str]:
        asked.append((code, verifier, redirect_uri, self.config["app_secret"]))
        return {"refresh_token": f"S3CR3T-{code}", "undeclared": "x"}

    monkeypatch.setattr(DropboxTransport, "authorized", authorized)
    return asked


def stored(row: Gateway) -> Gateway:
    return db.session.get_one(Gateway, row.id, populate_existing=True)


def test_a_visit_begins_at_the_partners_page_and_is_remembered_without_its_secret_in_the_address(row):
    url, pending = authorizations.begin(row.id, "user", BACK)
    assert url.startswith("https://www.dropbox.com/") and pending.state in url and pending.verifier not in url
    assert (pending.gateway_id, pending.user_id) == (row.id, "user")
    assert Pending.from_dict(pending.to_dict()) == pending
    assert not authorizations.is_connected(row)


def test_what_the_partner_gives_is_kept_sealed_beside_the_other_secrets(row, pending, partner):
    authorizations.finish(pending, "code", BACK)
    found = stored(row)
    assert partner == [("code", pending.verifier, BACK, "S3CR3T-app")]
    assert set(found.secrets) == {"app_secret", "refresh_token"} and authorizations.is_connected(found)
    assert "S3CR3T" not in str(found.config) + str(found.secrets) and "undeclared" not in found.config
    with gateways.open_transport(found) as transport:
        assert transport.config["refresh_token"] == "S3CR3T-code"
        assert transport.config["app_secret"] == "S3CR3T-app"


def test_connecting_again_replaces_the_access(row, pending, partner):
    for code in ("one", "two"):
        authorizations.finish(pending, code, BACK)
    assert gateways.unsealed(stored(row))["refresh_token"] == "S3CR3T-two"


def test_what_the_partner_refuses_is_told_and_keeps_the_old_access(row, pending, partner, monkeypatch):
    authorizations.finish(pending, "one", BACK)

    def no(*_: str) -> dict[str, str]:
        raise Refused(Text("Koden er brugt.", "The code was used."))

    monkeypatch.setattr(DropboxTransport, "authorized", no)
    with pytest.raises(NotAuthorized) as caught:
        authorizations.finish(pending, "two", BACK)
    assert caught.value.text.da == "Koden er brugt."
    assert gateways.unsealed(stored(row))["refresh_token"] == "S3CR3T-one"


def test_an_access_for_settings_that_changed_meanwhile_is_not_kept(row, pending, subscription, monkeypatch):
    def authorized(*_: str) -> dict[str, str]:
        gateways.save(subscription.id, "dropbox", "Vores Dropbox", FORM | {"app_key": "another"}, row.id)
        return {"refresh_token": "S3CR3T"}

    monkeypatch.setattr(DropboxTransport, "authorized", authorized)
    with pytest.raises(Conflict):
        authorizations.finish(pending, "code", BACK)
    assert not authorizations.is_connected(stored(row)) and stored(row).config["app_key"] == "another"


def test_a_kind_that_is_connected_in_no_such_way_says_so(subscription):
    other = gateways.save(subscription.id, "sftp", "A", {"host": "a.example", "username": "u", "password": "p"})
    with pytest.raises(NotAuthorized):
        authorizations.begin(other.id, "user", BACK)


def test_only_the_answer_to_ones_own_visit_counts(pending):
    assert authorizations.require_ours(pending, "user", pending.state) is pending
    for kept, user, state in (
        (None, "user", pending.state),
        (pending, "another", pending.state),
        (pending, "user", "x" * 43),
        (pending, "user", ""),
        (pending, "user", "æ"),
    ):
        with pytest.raises(NotAuthorized):
            authorizations.require_ours(kept, user, state)


def test_an_answer_that_took_too_long_is_told_apart(pending):
    with pytest.raises(NotAuthorized) as late:
        authorizations.require_ours(replace(pending, ends=time.time() - 1), "user", pending.state)
    with pytest.raises(NotAuthorized) as foreign:
        authorizations.require_ours(pending, "user", "x")
    assert late.value.text != foreign.value.text


@pytest.mark.parametrize(("error", "shown"), [("server_error", "server_error"), ("<b>æ</b>", "?"), ("", "?")])
def test_a_partners_no_is_repeated_only_where_it_is_a_code(error, shown):
    assert f"({shown})" in authorizations.refused(error).text.en
    assert authorizations.refused("access_denied").text != authorizations.refused(error).text
