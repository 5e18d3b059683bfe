"""How a number looks, in signs that an accountant can write: finding order numbers in the text of an invoice.

``#`` stands for a digit, ``@`` for a letter, ``?`` for a digit or a letter;
everything else stands for itself. Brackets mark the part to take, as in
``PO: [######]``. There is no repetition, so that no pattern can take long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from .findings import Text

LONGEST = 60
_SIGNS = {"#": "[0-9]", "@": r"[^\W\d_]", "?": r"[^\W_]"}
_SPACES = re.compile(r"\s+")
#: Blanks on both sides of a bracket are one blank of the text.
_AROUND_BRACKET = re.compile(r" ([\[\]]) ")


class PatternInvalid(ValueError):
    """A pattern that cannot be used; ``text`` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def check(pattern: str) -> str:
    """The pattern as it is stored. Raises ``PatternInvalid``."""
    tidy = _AROUND_BRACKET.sub(r" \1", _SPACES.sub(" ", pattern).strip())
    taken = _part(tidy)
    if len(tidy) > LONGEST:
        raise PatternInvalid(Text(f"Skriv højst {LONGEST} tegn.", f"Write at most {LONGEST} characters."))
    if not any(sign in taken for sign in _SIGNS):
        raise PatternInvalid(
            Text(
                "Skriv mindst ét af tegnene # (ciffer), @ (bogstav) eller ? (ciffer eller bogstav), f.eks. 4500######.",
                "Write at least one of the signs # (digit), @ (letter) or ? (digit or letter), for example 4500######.",
            )
        )
    return tidy


def _part(pattern: str) -> str:
    """What is taken: between the brackets, else everything. Raises ``PatternInvalid``."""
    if "[" not in pattern and "]" not in pattern:
        return pattern
    before, opening, rest = pattern.partition("[")
    inside, closing, after = rest.partition("]")
    if not (opening and closing) or any(sign in before + inside + after for sign in "[]"):
        raise PatternInvalid(
            Text(
                "Skriv ét par klammer om den del, der skal tages, f.eks. PO: [######].",
                "Write one pair of brackets around the part to take, for example PO: [######].",
            )
        )
    return inside


@dataclass(frozen=True, slots=True)
class Found:
    """A number, the text that it stands in (blanks made single) and where in it."""

    number: str
    text: str
    start: int
    end: int


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    signs = {**_SIGNS, "[": "(", "]": ")"}
    inner = "".join(signs.get(character, re.escape(character)) for character in pattern)
    # A longer number that holds a shorter one is another number.
    edges = (r"(?<![^\W_])" if _is_word(pattern, 0) else "", r"(?![^\W_])" if _is_word(pattern, -1) else "")
    return re.compile(edges[0] + inner + edges[1], re.IGNORECASE)


def _is_word(pattern: str, end: int) -> bool:
    sign = pattern.strip("[]")[end]
    return sign in _SIGNS or sign.isalnum()


def _tidy(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def locate(pattern: str, texts: Iterable[str | None]) -> Found | None:
    """The first number in ``texts`` that looks like ``pattern`` (one that ``check`` has passed), and where it stands."""
    compiled = _compiled(pattern)
    for text in texts:
        tidy = _tidy(text) if text else ""
        match = compiled.search(tidy)
        number = match.group(match.lastindex or 0).strip() if match else ""
        if match and number:
            start = tidy.index(number, match.start(match.lastindex or 0))
            return Found(number, tidy, start, start + len(number))
    return None


def find(pattern: str, texts: Iterable[str | None]) -> str | None:
    """The number alone that ``locate`` finds."""
    found = locate(pattern, texts)
    return found.number if found else None


def fits(pattern: str, number: str) -> bool:
    """Whether a whole number looks like the pattern, or like the part of it that is taken."""
    forms = (pattern.translate(_WITHOUT_BRACKETS), _part(pattern))
    return any(_compiled(form.strip()).fullmatch(_tidy(number)) for form in forms)


_WITHOUT_BRACKETS = str.maketrans("", "", "[]")
