"""The character sets of syntax version 3, and how text is brought into them.

UNOA and UNOB are ISO 646 subsets (ISO 9735 annex A), UNOC is ISO 8859-1. What
a set lacks is written in its nearest likeness; nothing makes a document fail.
"""

from __future__ import annotations

import string
import unicodedata
from functools import lru_cache

#: Python codecs by syntax identifier (0001); partners answer in their own.
CODECS = {
    "UNOA": "latin-1", "UNOB": "latin-1", "UNOC": "latin-1", "UNOD": "iso8859-2", "UNOE": "iso8859-5",
    "UNOF": "iso8859-7", "UNOW": "utf-8", "UNOY": "utf-8",
}  # fmt: skip

_LEVEL_A = frozenset(string.ascii_uppercase + string.digits + " .,-()/='+:?!\"%&*;<>")
_LEVEL_B = _LEVEL_A | frozenset(string.ascii_lowercase)
_LEVEL_C = frozenset(chr(code) for code in (*range(0x20, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)))
SETS = {"UNOA": _LEVEL_A, "UNOB": _LEVEL_B, "UNOC": _LEVEL_C}

_LIKENESS = {
    "–": "-", "—": "-", "‐": "-", "‑": "-", "‒": "-", "―": "-", "−": "-", "⁄": "/",
    "“": '"', "”": '"', "„": '"', "″": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "′": "'", "`": "'", "´": "'",
    "€": "EUR", "£": "GBP", "$": "USD", "…": "...", "•": "*", "·": ".", "×": "x", "™": "(TM)", "©": "(C)", "®": "(R)",
    "Œ": "OE", "œ": "oe", "Ł": "L", "ł": "l", "Đ": "D", "đ": "d", "ı": "i",
    "Æ": "AE", "æ": "ae", "Ø": "OE", "ø": "oe", "Å": "AA", "å": "aa", "ß": "ss", "ẞ": "SS", "Þ": "Th", "þ": "th", "Ð": "D",
    "ð": "d", "@": "(at)", "_": "-", "#": " ", "[": "(", "]": ")", "{": "(", "}": ")", "|": "/", "\\": "/", "~": "-", "^": " ",
    "µ": "u", "°": " ", "§": " ", "½": "1/2", "¼": "1/4", "¾": "3/4",
}  # fmt: skip


@lru_cache(maxsize=4096)
def _likeness(character: str, identifier: str) -> str:
    known = SETS[identifier]
    if character in known:
        return character
    if character.isspace():
        return " "
    found = _LIKENESS.get(character) or unicodedata.normalize("NFKD", character)
    return "".join(c for part in found for c in _LIKENESS.get(part, part) if c in known)


def clean(text: str | None, identifier: str) -> str:
    """The text in the characters of a set, with single blanks; empty where nothing is left."""
    composed = unicodedata.normalize("NFC", text or "")
    # Level A is level B in capitals: small letters are raised, not lost.
    level = "UNOB" if identifier == "UNOA" else identifier
    written = " ".join("".join(_likeness(character, level) for character in composed).split())
    return written.upper() if identifier == "UNOA" else written


def keeps(text: str | None, identifier: str) -> bool:
    """Whether a set carries the text as it is. Runs of blanks, composed letters and level A's capitals change nothing."""
    composed = " ".join(unicodedata.normalize("NFC", text or "").split())
    return clean(text, identifier).lower() == composed.lower()


def loses_letters(text: str | None, identifier: str) -> bool:
    """Whether letters have no likeness in the set at all, so that a word would lack some; symbols may go."""
    level = "UNOB" if identifier == "UNOA" else identifier
    composed = unicodedata.normalize("NFC", text or "")
    return any(character.isalpha() and not _likeness(character, level) for character in composed)


def pieces(text: str, width: int, most: int) -> list[str]:
    """Text as at most ``most`` pieces of at most ``width`` characters, cut between words where that is possible.

    Joined with blanks they are the text again, but for words longer than a piece and what did not fit.
    """
    found: list[str] = []
    current = ""
    for word in text.split():
        if current and len(current) + 1 + len(word) <= width:
            current = f"{current} {word}"
            continue
        if current:
            found.append(current)
        # By index: cutting a megabyte piece by piece would copy it thousands of times.
        *full, current = (word[at : at + width] for at in range(0, len(word), width))
        found += full
        if len(found) >= most:
            return found[:most]
    if current:
        found.append(current)
    return found[:most]
