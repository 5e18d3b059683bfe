"""The card of the gateway's page that lists what the partner sent."""

from __future__ import annotations

import pytest
from flask import render_template

from invoiceapp.languages import say
from invoiceapp.models import IncomingState, utcnow
from invoiceapp.services.receipts.queries import Line, Message


@pytest.fixture
def shown(app):
    def render(*messages):
        with app.test_request_context("/gateways/x"):
            return render_template("gateways/_incoming.html", incoming=list(messages), say=say)

    return render


def message(state=IncomingState.MATCHED, name="svar.edi", times=1, lines=()):
    return Message(name, utcnow(), 7, times, state, tuple(lines))


def test_nothing_is_shown_where_nothing_came(shown):
    assert shown().strip() == ""


def test_a_message_leads_to_its_document(shown):
    html = shown(message(lines=[Line({"da": "Modtageren har filen.", "en": "x"}, "01DOC", "1001")]))
    assert 'href="/documents/01DOC">1001</a>' in html
    assert "Modtageren har filen." in html
    assert "svar.edi" in html


def test_what_belongs_to_nothing_says_so_without_a_link(shown):
    html = shown(message(IncomingState.UNREADABLE, lines=[Line({"da": "Hører ikke til noget.", "en": "x"})]))
    assert "Hører ikke til noget." in html
    assert "/documents/" not in html


def test_how_often_it_came_is_shown_and_names_are_escaped(shown):
    html = shown(message(name="<b>", times=3))
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "3" in html


@pytest.mark.parametrize("state", list(IncomingState))
def test_every_state_has_a_look(shown, state):
    assert "badge" in shown(message(state))
