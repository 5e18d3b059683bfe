"""Whether two spellings may be the name of one company. No database."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher

#: Words that say what kind of body it is, not which one.
_KINDS = frozenset({
    "aps", "as", "a/s", "i/s", "is", "k/s", "ks", "ivs", "p/s", "ps", "a.m.b.a", "amba", "f.m.b.a", "fmba", "smba", "holding",
    "danmark", "denmark", "dk", "kommune", "kommunen", "region", "regionen", "municipality", "ab", "oy", "oyj", "gmbh", "ag",
    "ltd", "limited", "inc", "plc", "bv", "nv", "sa", "sarl", "srl", "spa", "asa",
})  # fmt: skip
_LETTERS = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "ö": "oe", "ä": "ae", "ü": "ue", "ß": "ss"})
#: Below this the names are of two companies until a person says otherwise.
ALIKE = 0.6


def _words(name: str) -> list[str]:
    folded = unicodedata.normalize("NFC", name).casefold().translate(_LETTERS)
    return [word for part in re.split(r"[\s,()&+]+", folded) if (word := part.strip("-.'\""))]


def plain(name: str) -> str:
    """The name without case, accents, punctuation and the kind of body."""
    words = _words(name)
    telling = [word for word in words if word not in _KINDS] or words
    return " ".join(re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", word)) for word in telling).strip()


def similarity(mine: str, theirs: str) -> float:
    """0 to 1; a name that holds all words of the other counts as nearly the same."""
    one, other = plain(mine), plain(theirs)
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    first, second = set(one.split()), set(other.split())
    if first <= second or second <= first:
        return 0.9
    by_order = SequenceMatcher(None, one, other).ratio()
    by_words = SequenceMatcher(None, " ".join(sorted(first)), " ".join(sorted(second))).ratio()
    return max(by_order, by_words)
