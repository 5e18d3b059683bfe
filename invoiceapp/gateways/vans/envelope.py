"""A look at the envelope of an EDIFACT file: who sends to whom, and under which number. Nothing else is read."""

from __future__ import annotations

from dataclasses import dataclass

#: An UNB has 250 characters at most (ISO 9735), before it nine of UNA and line ends.
_HEAD = 600
_DEFAULT = ":+.? '"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Of UNB; empty where it is left out."""

    sender: str = ""
    """0004, without its qualifier"""
    receiver: str = ""
    """0010, without its qualifier"""
    reference: str = ""
    """0020, the interchange control reference"""


def envelope_of(content: bytes) -> Envelope | None:
    """The envelope; None where the file is no EDIFACT. Never raises: what cannot be read is empty."""
    head = content[:_HEAD].decode("latin-1").lstrip()
    service = _DEFAULT
    if head.startswith("UNA"):
        service, head = head[3:9].ljust(6), head[9:].lstrip()
    elif not head.startswith("UNB"):
        return None
    component, element, release, terminator = service[0], service[1], service[3].strip(), service[5]
    segment = _split(head, terminator, release)[0]
    fields = [_split(field, component, release) for field in _split(segment, element, release)]
    if fields[0] != ["UNB"]:
        return Envelope()
    first = [_released(field[0], release) for field in fields] + [""] * 6
    return Envelope(first[2], first[3], first[5])


def _split(text: str, separator: str, release: str) -> list[str]:
    """At separators that are not released; release characters stay."""
    parts, current, is_released = [], "", False
    for character in text:
        if character == separator and not is_released:
            parts.append(current)
            current = ""
            continue
        is_released = character == release and not is_released
        current += character
    return [*parts, current]


def _released(text: str, release: str) -> str:
    found, is_released = "", False
    for character in text:
        is_released = character == release and not is_released
        found += "" if is_released else character
    return found
