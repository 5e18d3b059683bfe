from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from invoiceapp.models import Adaptor, Gateway, db, utcnow


@pytest.fixture
def ending(gateway: Gateway, adaptor: Adaptor) -> Gateway:
    """Its certificate ends in five days and some hours, its login in a year."""
    soon, late = utcnow() + timedelta(days=5, hours=3), utcnow() + timedelta(days=365)
    label = {"field": "certificate", "da": "Vores certifikat", "en": "Our certificate", "fingerprint": "ab" * 32}
    login = {"field": "token", "da": "Login", "en": "Login", "fingerprint": ""}
    gateway.expiries = [{**login, "ends": late.isoformat()}, {**label, "ends": soon.isoformat()}]
    gateway.seen = {"host_key": "SHA256:xyz", "certificate_ends": late.isoformat(), "at": utcnow().isoformat()}
    db.session.commit()
    return gateway


def test_the_page_lists_all_that_ends_soonest_first(signed_in: FlaskClient, ending: Gateway) -> None:
    page = signed_in.get("/gateways/expiries").text
    assert page.index("Our certificate") < page.index("Login")
    assert "Ends in 5 days" in page
    assert f'href="/gateways/{ending.id}#field-certificate"' in page
    assert "abababab" in page


def test_the_page_shows_what_the_servers_showed_last(signed_in: FlaskClient, ending: Gateway) -> None:
    page = signed_in.get("/gateways/expiries").text
    assert "SHA256:xyz" in page
    assert "The server&#39;s certificate ends" in page


@pytest.mark.usefixtures("ending")
def test_people_are_warned_where_they_are(signed_in: FlaskClient, gateway: Gateway) -> None:
    for path in ("/gateways", f"/gateways/{gateway.id}", "/"):
        page = signed_in.get(path).text
        assert "Ends in 5 days" in page, path
        assert "Ends in 36" not in page, "a year is no reason to warn"
    assert 'href="/gateways/expiries"' in signed_in.get("/").text


def test_without_anything_that_ends_nobody_is_warned(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway
) -> None:
    assert "Nothing that we know of ends" in signed_in.get("/gateways/expiries").text
    assert "/gateways/expiries" not in signed_in.get("/").text


@pytest.mark.parametrize(("left", "words"), [({"hours": 5}, "Ends within a day"), ({"days": -2}, "Has expired")])
def test_the_last_day_and_the_end_have_words_of_their_own(
    signed_in: FlaskClient, ending: Gateway, left: dict[str, int], words: str
) -> None:
    ending.expiries = [{**ending.expiries[1], "ends": (utcnow() + timedelta(**left)).isoformat()}]
    db.session.commit()
    assert words in signed_in.get("/gateways/expiries").text


@pytest.mark.usefixtures("ending")
def test_other_tenants_see_nothing_of_it(stranger: FlaskClient) -> None:
    assert "SHA256:xyz" not in stranger.get("/gateways/expiries").text
