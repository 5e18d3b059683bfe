"""Pictures from numbers."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from invoiceapp.blueprints.figures.drawing import HEIGHT, WIDTH, Segment, columns, strip, top_of


@pytest.mark.parametrize(
    ("values", "top"), [((), 2), ((0,), 2), ((2, 1), 2), ((3,), 4), ((5,), 10), ((11,), 20), ((401,), 1000)]
)
def test_the_scale_ends_at_a_round_number_with_a_half(values, top):
    assert top_of(values) == top


def test_columns_stand_on_each_other_and_end_at_the_upper_edge():
    bars = [[Segment("arrived", 3), Segment("person", 1)], [Segment("arrived", 0), Segment("person", 2)]]
    rects = ElementTree.fromstring(columns(bars, 4)).findall("rect")
    assert [(one.get("class"), float(one.get("y")), float(one.get("height"))) for one in rects] == [
        ("part-arrived", 25.0, 75.0), ("part-person", 0.0, 25.0), ("part-person", 50.0, 50.0),
    ]  # fmt: skip
    assert max(float(one.get("x")) + float(one.get("width")) for one in rects) <= WIDTH


def test_a_strip_is_filled_by_its_parts():
    rects = ElementTree.fromstring(strip([Segment("arrived", 1), Segment("rest", 3)], 4)).findall("rect")
    assert [(float(one.get("x")), float(one.get("width"))) for one in rects] == [
        (0, WIDTH / 4),
        (WIDTH / 4, WIDTH * 3 / 4),
    ]
    assert {float(one.get("height")) for one in rects} == {HEIGHT}


def test_names_and_addresses_are_text_and_not_markup():
    drawn = columns([[Segment("arrived", 1, "<b>&", "/?a=1&b=2")]], 1)
    link = ElementTree.fromstring(drawn).find("a")
    assert link.get("href") == "/?a=1&b=2"
    assert link.find("rect/title").text == "<b>&"


def test_nothing_to_draw_is_drawn_as_nothing():
    assert ElementTree.fromstring(columns([], top_of([]))).findall("rect") == []
    assert ElementTree.fromstring(strip([], 0)).findall("rect") == []
