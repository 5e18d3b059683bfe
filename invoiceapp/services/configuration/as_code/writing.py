"""Plain values as YAML, byte for byte the same whatever version of a library is installed.

Texts are always quoted, or literal blocks where they have several lines: what
was written is what is read, here and by every other YAML reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_GUESSED = frozenset(["true", "false", "yes", "no", "on", "off", "y", "n", "null"])
#: What a YAML file may hold as it is. Line separators and byte-order marks may not; signs that turn the direction of
#: writing are escaped, so that a reviewer sees what a machine reads.
_READABLE = (
    r"\x20-\x7e\xa0-\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff"
)
_LITERAL = re.compile(f"[\n{_READABLE}]*")
_ESCAPED = re.compile(f'[^{_READABLE}]|["\\\\]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _quoted(text: str) -> str:
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _key(name: str) -> str:
    return name if _PLAIN_KEY.fullmatch(name) and name.lower() not in _GUESSED else _quoted(name)


def _is_literal(text: str) -> bool:
    """Whether a text of several lines comes back from a literal block as it is."""
    return (
        "\n" in text
        and text[0] not in " \n"
        and not text.endswith("\n\n")
        and bool(_LITERAL.fullmatch(text))
        and bool(text.splitlines()[-1].strip())
    )


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping | Sequence) and not value and not isinstance(value, str):
        return "{}" if isinstance(value, Mapping) else "[]"
    return _quoted(str(value))


def _entry(name: str, value: Any, pad: str) -> Iterator[str]:
    key = pad + _key(name) + ":"
    if isinstance(value, str) and _is_literal(value):
        yield f"{key} {'|' if value.endswith(chr(10)) else '|-'}"
        yield from (f"{pad}  {line}" if line else "" for line in value.removesuffix("\n").split("\n"))
    elif isinstance(value, Mapping) and value:
        yield key
        yield from _mapping(value, pad + "  ")
    elif isinstance(value, list) and value:
        yield key
        for item in value:
            first, *rest = _mapping(item, pad + "    ")
            yield f"{pad}  - {first.lstrip(' ')}"
            yield from rest
    else:
        yield f"{key} {_scalar(value)}"


def _mapping(value: Mapping[str, Any], pad: str) -> Iterator[str]:
    for name, item in value.items():
        yield from _entry(name, item, pad)


def write(document: Mapping[str, Any]) -> str:
    """The file's text. Mappings keep their order; lists hold mappings that are not empty."""
    return "\n".join(_mapping(document, "")) + "\n"
