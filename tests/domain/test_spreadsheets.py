from __future__ import annotations

import pytest

from invoiceapp.domain.spreadsheets import text_cell


@pytest.mark.parametrize("text", ["=1+1", "+45", "-5", "@SUM(A1)", "\tx", "  =1", "＝1+1", "\x00=1", "\ufeff=1"])
def test_what_could_be_a_formula_is_marked_as_text(text):
    assert text_cell(text).startswith("'")


def test_ordinary_text_stays_and_what_nobody_sees_goes():
    assert text_cell("Bageren & Søn, 5-7 = 2") == "Bageren & Søn, 5-7 = 2"
    assert text_cell("a\x00b\x07\ud800c\r\nd\re") == "abc\nd\ne"
