from __future__ import annotations

from decimal import Decimal

import pytest

from invoiceapp.services.configuration.versions import ChangedMeanwhile, require, version


def test_the_same_values_have_the_same_version_whatever_their_order():
    one = {"a": {"x": Decimal("0.50"), "y": ["1", None]}, "b": True}
    other = {"b": True, "a": {"y": ["1", None], "x": Decimal("0.50")}}
    assert version(one) == version(other)
    assert len(version(one)) == 20


@pytest.mark.parametrize("other", [{}, {"a": "2"}, {"a": 1}, {"a": "1", "b": None}, {"A": "1"}, ["a", "1"]])
def test_other_values_have_another_version(other):
    assert version(other) != version({"a": "1"})


def test_a_form_that_shows_something_else_is_refused_and_callers_without_a_form_are_not():
    require(version({"a": "1"}), {"a": "1"})
    require(None, {"a": "2"})
    with pytest.raises(ChangedMeanwhile) as refused:
        require(version({"a": "1"}), {"a": "2"})
    assert "Intet er gemt" in refused.value.text.da
