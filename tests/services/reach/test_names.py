from __future__ import annotations

import pytest

from invoiceapp.services.reach.names import ALIKE, similarity


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("Bageriet Hjørnet ApS", "BAGERIET HJØRNET APS"),
        ("Aarhus Kommune", "Århus Kommune"),
        ("Novo Nordisk A/S", "Novo Nordisk"),
        ("Region Midtjylland", "Midtjylland, Region"),
        ("Müller & Söhne GmbH", "Mueller & Soehne"),
        ("Jensens Tømrer", "Jensens Tømrer og Snedker ApS"),
    ],
)
def test_two_spellings_of_one_company_are_alike(mine, theirs):
    assert similarity(mine, theirs) >= 0.9


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("Bageriet Hjørnet ApS", "Vognmand Petersen ApS"), ("Odense Kommune", "Randers Kommune"), ("Kunde", "")],
)
def test_two_companies_are_not_alike(mine, theirs):
    assert similarity(mine, theirs) < ALIKE


def test_a_name_of_nothing_but_the_kind_is_still_a_name():
    assert similarity("Holding ApS", "Holding ApS") == 1.0
