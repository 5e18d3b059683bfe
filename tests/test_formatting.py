"""Amounts, dates and states in Danish and English."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from flask import Flask, render_template_string
from flask_babel import Babel, force_locale

from invoiceapp import formatting
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text

NBSP = "\N{NO-BREAK SPACE}"
SUMMER = datetime(2026, 7, 1, 22, 5, 9, tzinfo=UTC)
SPRITE = Path(formatting.__file__).parent / "static" / "vendor" / "tabler-icons-3.51.0.svg"


@pytest.fixture(autouse=True)
def request_in_danish() -> Iterator[None]:
    app = Flask(__name__)
    Babel(app, default_locale="da")
    formatting.init_app(app)
    with app.test_request_context():
        yield


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        (Decimal("1234.5"), "DKK", f"1.234,50{NBSP}DKK"),
        (Decimal("-1250"), None, "-1.250,00"),
        (Decimal("1234"), "JPY", f"1.234{NBSP}JPY"),
        (Decimal("0"), "EUR", f"0,00{NBSP}EUR"),
        (None, "DKK", "–"),
    ],
)
def test_amounts_have_danish_separators_and_the_decimals_of_the_currency(
    value: Decimal | None, currency: str | None, expected: str
) -> None:
    assert formatting.amount(value, currency) == expected


def test_english_keeps_the_european_day_order() -> None:
    with force_locale("en"):
        assert formatting.language() == "en"
        assert formatting.amount(Decimal("1234.5")) == "1,234.50"
        assert formatting.day(date(2026, 11, 22)) == "22 Nov 2026"


def test_language_is_danish_outside_of_english() -> None:
    assert formatting.language() == "da"
    with force_locale("de"):
        assert formatting.language() == "da"


def test_times_are_danish_and_may_fall_on_the_next_day() -> None:
    assert formatting.day(SUMMER) == "2. jul. 2026"
    assert formatting.local_time(SUMMER) == "2. jul. 2026 00.05"
    assert formatting.clock_time(SUMMER) == "00.05.09"


def test_time_without_zone_is_utc() -> None:
    assert formatting.local_time(SUMMER.replace(tzinfo=None)) == formatting.local_time(SUMMER)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (timedelta(minutes=-3), "for 3 minutter siden"),
        (timedelta(hours=2), "om 2 timer"),
        (timedelta(days=-1), "for 1 dag siden"),
    ],
)
def test_distances_are_told_in_words(distance: timedelta, expected: str) -> None:
    assert formatting.ago(SUMMER + distance, now=SUMMER) == expected


def test_distance_without_now_is_counted_from_now() -> None:
    assert formatting.ago(datetime.now(UTC) - timedelta(minutes=10, seconds=5)) == "for 10 minutter siden"


def test_time_tag_holds_the_exact_time() -> None:
    element = ElementTree.fromstring(formatting.time_tag(SUMMER, now=SUMMER + timedelta(minutes=3)))
    assert element.text == "for 3 minutter siden"
    assert element.attrib == {"datetime": "2026-07-01T22:05:09+00:00", "title": "2. jul. 2026 00.05"}


def test_missing_values_are_a_dash() -> None:
    for shown in (formatting.amount, formatting.number, formatting.percent, formatting.day, formatting.local_time):
        assert shown(None) == "–"
    for shown in (formatting.clock_time, formatting.ago, formatting.time_tag, formatting.filesize):
        assert shown(None) == "–"


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, "0"), (999, "999"), (12_400, "12,4"), (5_000_000, "5"), (7_250_000_000_000, "7.250")],
)
def test_sizes_use_decimal_units(size: int, expected: str) -> None:
    unit = "B" if size < 1000 else "kB" if size < 10**6 else "MB" if size < 10**9 else "GB"
    assert formatting.filesize(size) == f"{expected}{NBSP}{unit}"


def test_numbers_keep_the_decimals_they_have() -> None:
    assert formatting.number(12345) == "12.345"
    assert formatting.number(Decimal("1.25")) == "1,25"
    assert formatting.percent(Decimal("25")) == f"25{NBSP}%"


def test_decimal_inputs_have_no_grouping_and_keep_what_was_typed() -> None:
    assert formatting.decimal_input(Decimal("1234.50")) == "1234,50"
    assert formatting.decimal_input("1,2x") == "1,2x"
    assert formatting.decimal_input(None) == ""
    with force_locale("en"):
        assert formatting.decimal_input(Decimal("1234.50")) == "1234.50"


def test_two_language_texts_follow_the_reader() -> None:
    text = Text("Vært", "Host")
    assert render_template_string("{{ t|text }}|{{ 'x'|text }}|{{ none|text }}", t=text) == "Vært|x|"
    with force_locale("en"):
        assert formatting.in_language(text) == "Host"


@pytest.mark.parametrize("state", DeliveryState)
def test_every_delivery_state_has_a_look(state: DeliveryState) -> None:
    assert formatting.state_look(state) is formatting.STATES[state.value]


def test_every_state_has_an_icon_of_the_sprite_and_its_own_words() -> None:
    icons = {symbol.get("id") for symbol in ElementTree.parse(SPRITE).getroot()}
    assert {look.icon for look in formatting.STATES.values()} <= icons
    assert len({str(look.label) for look in formatting.STATES.values()}) == len(formatting.STATES)


def test_unknown_state_is_shown_by_its_name() -> None:
    assert formatting.state_look("brand_new").label == "brand_new"
