"""Names of the files that receivers get: a template with fixed tokens, and characters that every system takes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .findings import Text

#: What a template may use. ``key8`` is the start of the key that never changes between attempts.
TOKENS = ("type", "number", "date", "customer", "customer-number", "order", "key8")
DEFAULT = "{type}-{number}"
LONGEST = 110
_TOKEN = re.compile(r"\{([^{}]*)\}")
_SPELLED = {
    ord(letter): spelled for letter, spelled in zip("æøåÆØÅ", ("ae", "oe", "aa", "AE", "OE", "AA"), strict=True)
}


class TemplateInvalid(ValueError):
    """A template that cannot be used; ``text`` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def safe_filename(text: str, longest: int = 80) -> str:
    """A file name that every receiving system takes: ASCII letters, digits, dot, dash, underscore."""
    spelled = text.translate(_SPELLED)
    bare = re.sub(r"[^A-Za-z0-9._-]+", "-", spelled).strip("-.")
    return bare[:longest] or "document"


def check(template: str) -> str:
    """The template as it is stored. Raises ``TemplateInvalid``."""
    if len(template) > LONGEST:
        raise TemplateInvalid(Text(f"Skriv højst {LONGEST} tegn.", f"Write at most {LONGEST} characters."))
    used = _TOKEN.findall(template)
    unknown = [token for token in used if token not in TOKENS]
    known = ", ".join(f"{{{token}}}" for token in TOKENS)
    if unknown or any(brace in _TOKEN.sub("", template) for brace in "{}"):
        raise TemplateInvalid(Text(f"Kan kun bruge {known}.", f"May only use {known}."))
    if not {"number", "key8"} & set(used):
        raise TemplateInvalid(
            Text(
                "{number} skal være med; ellers får to dokumenter samme navn.",
                "{number} must be there; otherwise two documents get the same name.",
            )
        )
    outside = _TOKEN.sub("", template)
    if outside and safe_filename(f"x{outside}x") != f"x{outside}x":
        raise TemplateInvalid(
            Text(
                "Brug kun bogstaverne a-z, tal, punktum, bindestreg og understreg.",
                "Use only the letters a-z, digits, dot, dash and underscore.",
            )
        )
    return template


def fill(template: str, values: Mapping[str, str]) -> str:
    """The file's name without its extension. Tokens without a value leave nothing behind."""
    filled = _TOKEN.sub(lambda match: _token(values.get(match.group(1), "")), template)
    return safe_filename(re.sub(r"([._-])[._-]+", r"\1", filled), LONGEST)


def _token(value: str) -> str:
    return safe_filename(value, 40) if value.strip() else ""
