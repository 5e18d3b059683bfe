from __future__ import annotations

import pytest

from invoiceapp.domain.passwords import is_easy_to_guess


@pytest.mark.parametrize(
    "password",
    [
        "123456789012", "password1234", "P@ssw0rd2026!", "Velkommen2026!", "qwertyuiop12", "aaaaaaaaaaaab", "abcabcabcabc",
        "1qaz2wsx3edc", "sommerferie2026", "poiuytrewq99", "adgangskode.1", "KøbenhavnDanmark",
    ],
)  # fmt: skip
def test_what_anybody_tries_first_is_easy_to_guess(password: str) -> None:
    assert is_easy_to_guess(password)


@pytest.mark.parametrize(
    "password",
    [
        "correct-horse-battery",
        "kaffe bord lampe",
        "9274610385527",
        "tr0ub4dor&3xyz",
        "velkommen til lotte hansen",
        "æøåæøå-fjorten",
    ],
)
def test_a_few_unrelated_words_or_random_signs_are_not(password: str) -> None:
    assert not is_easy_to_guess(password)


def test_a_persons_own_name_counts_as_known() -> None:
    assert is_easy_to_guess("Jensen&Co1234", ["jensen", "co"])
    assert not is_easy_to_guess("Jensen&Co1234 cykel", ["jensen", "co"])
