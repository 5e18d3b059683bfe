from __future__ import annotations

import pytest

from invoiceapp.services.sign_in.rates import Rates, TooOften


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_key_calls_so_many_times_a_minute_and_another_key_is_not_hindered():
    clock = Clock()
    rates = Rates(calls=3, clock=clock)
    for _call in range(3):
        rates.count("a")
    clock.now += 20
    with pytest.raises(TooOften) as refused:
        rates.count("a")
    assert refused.value.seconds == 40
    rates.count("b")


def test_after_a_minute_counting_starts_anew():
    clock = Clock()
    rates = Rates(calls=1, clock=clock)
    rates.count("a")
    clock.now += 60
    rates.count("a")
    with pytest.raises(TooOften):
        rates.count("a")
