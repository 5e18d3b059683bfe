"""Passwords that are long enough and still among the first that anybody tries."""

from __future__ import annotations

from collections.abc import Iterable

#: Different characters of a password that is not one key held down.
_FEWEST_CHARACTERS = 6
#: Letters and digits that must be left when well-known words and rows of keys are taken out.
_FEWEST_LEFT = 6
_ROWS = (
    "01234567890",
    "abcdefghijklmnopqrstuvwxyzæøå",
    "qwertyuiopå",
    "asdfghjklæø",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb",
)
#: From the heads of published lists of leaked passwords, in Danish and English.
_WORDS = (
    "password", "passphrase", "passord", "adgangskode", "kodeord", "løsenord", "velkommen", "welcome", "letmein", "login",
    "administrator", "admin", "qwerty", "iloveyou", "jegelskerdig", "elsker", "princess", "sunshine", "football", "fodbold",
    "baseball", "superman", "batman", "dragon", "monkey", "master", "shadow", "michael", "jennifer", "danmark", "denmark",
    "copenhagen", "københavn", "kobenhavn", "aarhus", "odense", "sommer", "summer", "vinter", "winter", "efterår", "autumn",
    "forår", "spring", "ferie", "januar", "februar", "marts", "april", "juni", "juli", "august", "september", "oktober", "november",
    "december", "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag", "secret", "hemmelig", "changeme",
    "default", "testtest", "faktura", "invoice", "regnskab", "bogholder", "revisor", "billy", "computer", "internet", "abc",
)  # fmt: skip
_MEANT = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})


def is_easy_to_guess(password: str, personal: Iterable[str] = ()) -> bool:
    """Whether it is little but a well-known word, a row of keys, or what everybody knows of the person (``personal``)."""
    text = password.lower()
    if len(set(text)) < _FEWEST_CHARACTERS:
        return True
    known = [*_WORDS, *(word.lower() for word in personal if len(word) >= 4)]
    return any(_left(spelling, known) < _FEWEST_LEFT for spelling in (text, text.translate(_MEANT)))


def _left(text: str, words: list[str]) -> int:
    for row in (*_rows(), *sorted(words, key=len, reverse=True)):
        text = text.replace(row, " ")
    return sum(character.isalnum() for character in text)


def _rows() -> Iterable[str]:
    """Four keys of a row and more, in both directions, longest first."""
    rows = [order for row in _ROWS for order in (row, row[::-1])]
    for length in range(max(map(len, rows)), 3, -1):
        for row in rows:
            yield from (row[start : start + length] for start in range(len(row) - length + 1))
