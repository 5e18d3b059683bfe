"""The pictures of the flow and the health of the parts, as a page and as a fragment."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import session

from invoiceapp.blueprints.figures.views import duration
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Receipt, db, utcnow
from invoiceapp.services.daily.listing import Filter


@pytest.fixture
def documents(adaptor, make_customer, make_document, make_delivery):
    """Two of today that arrived, one that needs a person."""
    customer, today = make_customer(), utcnow().date()
    for number, state in (("1", DeliveryState.DELIVERED), ("2", DeliveryState.DELIVERED), ("3", DeliveryState.FAILED)):
        document = make_document(customer, number, issue_date=today)
        delivery = make_delivery(document, state)
        arrived = document.created_at + timedelta(minutes=int(number) * 7)
        db.session.add(Receipt(delivery_id=delivery.id, kind="wire", reference="x", evidence={}, created_at=arrived))
    db.session.commit()
    return today


def test_the_pictures_say_in_words_what_they_show(signed_in, documents):
    html = signed_in.get("/figures").text
    assert "3 documents dated in the last 30 days." in html
    assert "Half within 7 min., 95 % within 14 min." in html
    assert re.search(r"<bdi>SFTP</bdi>", html)


def test_a_bar_leads_to_the_list_of_its_day_and_status(signed_in, documents):
    html = signed_in.get("/figures").text
    links = {unescape(link) for link in re.findall(r'<a href="([^"]+)" tabindex="-1">', html)}
    assert links == {f"/?from={documents}&to={documents}&status={status}" for status in ("arrived", "person")}
    for link in links:
        args = dict(pair.split("=") for pair in link.partition("?")[2].split("&"))
        assert Filter.read(args).to_args() == args


def test_what_a_picture_shows_also_stands_in_a_table_for_the_keyboard(signed_in, documents):
    html = unescape(signed_in.get("/figures").text)
    assert re.search(rf'<a class="tap"\s+href="/\?from={documents}&to={documents}&status=person">1</a>', html)


def test_a_fragment_has_no_shell(signed_in, documents):
    html = signed_in.get("/figures", headers={"HX-Request": "true"}).text
    assert 'id="flow-days"' in html
    assert "<html" not in html


def test_a_part_that_needs_somebody_says_what_to_do_and_where(signed_in, adaptor):
    adaptor.source_error = {"da": "Tokenet blev afvist.", "en": "The token was refused."}
    db.session.commit()
    html = signed_in.get("/figures").text
    assert "The token was refused." in html
    assert f'href="/source?adaptor={adaptor.id}"' in html


def test_links_keep_to_the_adaptor_of_the_address(signed_in, adaptor, documents):
    html = unescape(signed_in.get(f"/figures?adaptor={adaptor.id}").text)
    assert f"status=arrived&adaptor={adaptor.id}" in html


def test_all_adaptors_together_are_shown_as_on_the_dashboard(signed_in, adaptor, documents):
    other = Adaptor(subscription_id=adaptor.subscription_id, name="Den anden", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    html = unescape(signed_in.get("/figures?adaptor=all").text)
    assert "3 documents dated in the last 30 days." in html
    assert "status=arrived&adaptor=all" in html
    assert html.count("<strong>Source</strong>") == 2
    assert signed_in.get("/inbox?adaptor=all").status_code == 200


def test_somebody_elses_adaptor_is_not_there(stranger, signed_in, adaptor: Adaptor):
    assert stranger.get(f"/figures?adaptor={adaptor.id}").status_code == 404
    assert stranger.get("/figures").status_code == 404


def test_visitors_sign_in_first(client):
    assert client.get("/figures").status_code == 302


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(0), "1 min."),
        (timedelta(seconds=61), "2 min."),
        (timedelta(minutes=61), "2 h"),
        (timedelta(hours=30), "30 h"),
        (timedelta(hours=49), "3 days"),
    ],
)
def test_a_duration_is_rounded_up_because_it_stands_after_within(app, time, words):
    with app.test_request_context():
        session["language"] = "en"
        assert duration(time) == words
