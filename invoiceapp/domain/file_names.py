"""Names of the files that receivers get: a template with fixed tokens, and characters that every system takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .findings import Text

#: What a template may use. ``key8`` is the start of the key that never changes between attempts.
TOKENS = ("type", "number", "date", "customer", "customer-number", "order", "key8")
#: Characters of a template, of a value in a name, and of a name without its extension: literals, one value and one key
#: always fit.
LONGEST, LONGEST_VALUE, LONGEST_NAME = 110, 40, 150
#: Names that Windows gives to devices, whatever follows a dot: nobody can store a file there.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
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
    name = _plain(text)[:longest] or "document"
    return f"_{name}"[:longest] if _DEVICE.fullmatch(name) else name


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text.translate(_SPELLED)).strip("-.")


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
                "{number} eller {key8} skal være med; ellers får to dokumenter samme navn.",
                "{number} or {key8} must be there; otherwise two documents get the same name.",
            )
        )
    if len(used) > len(set(used)):
        raise TemplateInvalid(Text("Brug hvert felt i klammer højst én gang.", "Use each part in braces once at most."))
    if not re.fullmatch(r"(?!\.)[A-Za-z0-9._{}-]+", template):
        raise TemplateInvalid(
            Text(
                "Brug kun bogstaverne a-z, tal, punktum, bindestreg og understreg, og begynd ikke med punktum.",
                "Use only the letters a-z, digits, dot, dash and underscore, and do not begin with a dot.",
            )
        )
    return template


def fill(template: str, values: Mapping[str, str]) -> str:
    """The file's name without its extension. Tokens without a value leave nothing behind.

    What tells two documents apart is never lost: where the name cannot carry the number as it is, because of other
    characters or of its length, the key stands at the end. Other values are cut where the name would be too long.
    """
    known = {token: _plain(values.get(token, ""))[:LONGEST_VALUE] for token in TOKENS}
    is_altered = known["number"] != values.get("number", "") or _DEVICE.fullmatch(known["number"])
    if "{key8}" not in template and (not known["number"] or is_altered):
        # Shorter, because the key has to fit too.
        template, known["number"] = f"{template}-{{key8}}", known["number"][:30]
    for token in _TOKEN.findall(template):
        if not known.get(token):
            # With the separator before it, or after it where it stands first.
            template = re.sub(rf"^\{{{re.escape(token)}\}}[._-]?|[._-]?\{{{re.escape(token)}\}}", "", template)
    for width in (LONGEST_VALUE, 20, 10, 5):
        shown = {token: value if token in ("number", "key8") else value[:width] for token, value in known.items()}
        name = _replaced(template, shown)
        if len(name) <= LONGEST_NAME:
            break
    return safe_filename(name, LONGEST_NAME)


def _replaced(template: str, values: Mapping[str, str]) -> str:
    # Not str.format, which would let a template read attributes.
    return _TOKEN.sub(lambda match: values.get(match.group(1), ""), template)


@dataclass(frozen=True, slots=True)
class FileName:
    """How the files of one document are called; decided once, so that every attempt uses the same name."""

    template: str | None = None
    """What the customer's settings say; None leaves it to the gateway"""
    values: Mapping[str, str] = field(default_factory=dict)
    """By token as the documents say them, without ``key8``"""

    def stem(self, otherwise: str, key: str) -> str:
        """The name without extension, by the customer's template, else by ``otherwise``."""
        return fill(self.template or otherwise, {**self.values, "key8": key[:8]})

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"template": self.template, "values": dict(self.values)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of ``to_dict``."""
        return cls(data.get("template"), dict(data.get("values") or {}))
