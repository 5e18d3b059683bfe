"""The little Markdown that help pages use, as blocks a template can show without trusting any markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_STEP = re.compile(r"\d+\. ")
_INLINE = re.compile(r"\*\*(?P<strong>.+?)\*\*|`(?P<code>.+?)`")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters in one style: ``""``, ``strong`` or ``code``."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A ``heading`` or ``paragraph`` of one line, or a ``list`` or numbered ``steps`` of several."""

    kind: str
    lines: list[list[Span]] = field(default_factory=list)


def _spans(text: str) -> list[Span]:
    found, position = [], 0
    for match in _INLINE.finditer(text):
        found.append(Span(text[position : match.start()]))
        found.append(Span(match[match.lastgroup or 0], match.lastgroup or ""))
        position = match.end()
    return [span for span in (*found, Span(text[position:])) if span.text]


def _block(paragraph: str) -> Block:
    lines = paragraph.splitlines()
    if lines[0].startswith("#"):
        return Block("heading", [_spans(paragraph.lstrip("# "))])
    if all(line.startswith("- ") for line in lines):
        return Block("list", [_spans(line[2:]) for line in lines])
    if all(_STEP.match(line) for line in lines):
        return Block("steps", [_spans(_STEP.sub("", line)) for line in lines])
    return Block("paragraph", [_spans(" ".join(lines))])


def title(text: str) -> str:
    """The text of the page's own heading, ``# ``; "" where it has none."""
    first = text.strip().partition("\n")[0]
    return first.removeprefix("# ") if first.startswith("# ") else ""


def blocks(text: str) -> Iterator[Block]:
    """Headings (``#``), lists (``-``), steps (``1.``) and paragraphs, with **strong** and `code`; the page's own title is left out."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text.strip()) if part]
    return (_block(part) for part in paragraphs if not part.startswith("# "))
