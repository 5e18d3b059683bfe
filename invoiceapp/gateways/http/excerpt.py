"""A few words of what a partner answered, fit to be shown and kept."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from urllib.parse import quote

LONGEST = 200
#: More than this is not looked at: an answer may be megabytes of spaces.
_LOOKED_AT = 4_000
_HIDDEN = "•••"


def excerpt(text: str, secrets: Collection[str]) -> str:
    """At most 200 printable characters on one line, without tags and without ``secrets``."""
    shown = _without(text, secrets)[:_LOOKED_AT]
    words = _plain(re.sub(r"(?s)<(style|script)\b.*?</\1>|<[^<>]*>", " ", shown))
    # Once more: what stood between two parts of a secret is gone now.
    words = _without(words, secrets)
    return words if len(words) <= LONGEST else words[: LONGEST - 2].rstrip() + " …"


def _plain(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _without(text: str, secrets: Collection[str]) -> str:
    """Some servers repeat in their answer what they were sent, in one spelling or another."""
    spelled = {form for one in secrets for form in (one, json.dumps(one)[1:-1], quote(one, safe=""), _plain(one))}
    for form in sorted(spelled, key=len, reverse=True):
        text = text.replace(form, _HIDDEN) if form else text
    return text
