from __future__ import annotations

import pytest

from invoiceapp.sources.billy.units import unit_code


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("pieces", "EA"), ("stk.", "EA"), ("Stk", "EA"), ("timer", "HUR"), ("hours", "HUR"), (" Time ", "HUR"),
        ("kg", "KGM"), ("m2", "MTK"), ("m²", "MTK"), ("liter", "LTR"), ("md.", "MON"), ("fast pris", "LS"), ("par", "PR"),
        ("HUR", "HUR"), ("KWH", "KWH"), ("EA", "EA"),
    ],
)  # fmt: skip
def test_what_people_write_becomes_a_code(written, code):
    assert unit_code(written) == code


@pytest.mark.parametrize("written", [None, "", "✂ efter aftale", "rulle à 100 m", 7, [], "fast", "lump", "XYZ"])
def test_what_is_not_known_is_each(written):
    assert unit_code(written) == "EA"
