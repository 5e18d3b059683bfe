"""What the directory D.96A says of INVOIC, for the segments that we use.

``SEGMENTS`` has a segment's elements, separated by blanks; components are
separated by colons. ``!`` marks a mandatory element, ``*`` a component that is
mandatory where its element is there, ``an35`` and ``n18`` the largest length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .syntax import Segment

_PARTY_NAME = "*an35:an35:an35:an35:an35"
_TAX_RATE = "an7:an3:an3:an17:an12:an3:an3"

_LAYOUTS = {
    "UNB": "!*an4:*n1 !*an35:an4:an14 !*an35:an4:an14 !*n6:*n4 !*an14 an14:an2 an14 an1 n1 an35 n1",
    "UNZ": "!*n6 !*an14",
    "UNH": "!*an14 !*an6:*an3:*an3:*an2:an6 an35 n2:an1",
    "UNT": "!*n6 !*an14",
    "UNS": "!*an1",
    "ALC": "!*an3 an35:an3 an3 an3 an3:an3:an3:an35:an35",
    "BGM": "an3:an3:an3:an35 an35 an3 an3",
    "CNT": "!*an3:*n18:an3",
    "COM": "!*an512:*an3",
    "CTA": "an3 an17:an35",
    "CUX": "*an3:an3:an3:n4 *an3:an3:an3:n4 n12 an3",
    "DTM": "!*an3:an35:an3",
    "FII": "!*an3 an35:an35:an35:an3 an11:an3:an3:an17:an3:an3:an70:an70 an3",
    "FTX": "!*an3 an3 *an3:an3:an3 *an70:an70:an70:an70:an70 an3",
    "IMD": "an3 an3 an17:an3:an3:an35:an35:an3 an3",
    "LIN": "n6 an3 an35:an3:an3:an3 an3:n6 n2 an3",
    "MOA": "!*an3:n18:an3:an3:an3",
    "NAD": f"!*an3 *an35:an3:an3 {_PARTY_NAME} {_PARTY_NAME}:an3 *an35:an35:an35:an35 an35 an9 an9 an3",
    "PAI": "!an3:an3:an3:an3:an3:an3",
    "PAT": "!*an3 *an17:an3:an3:an35:an35 *an3:an3:an3:n3",
    "PCD": "!*an3:n10:an3:an3:an3",
    "PIA": "!*an3 !an35:an3:an3:an3 an35:an3:an3:an3 an35:an3:an3:an3 an35:an3:an3:an3 an35:an3:an3:an3",
    "PRI": "*an3:n15:an3:an3:n9:an3 an3",
    "QTY": "!*an3:*n15:an3",
    "RFF": "!*an3:an35:an6:an35",
    "TAX": f"!*an3 an3:an3:an3:an35 *an6:an3:an3 an15 {_TAX_RATE} an3 an20",
}


@dataclass(frozen=True, slots=True)
class Component:
    """Form of one component."""

    mandatory: bool
    numeric: bool
    length: int


@dataclass(frozen=True, slots=True)
class Element:
    """Form of one element."""

    mandatory: bool
    components: tuple[Component, ...]


def _component(text: str) -> Component:
    form = text.lstrip("*")
    numeric = not form.startswith("an")
    return Component(text.startswith("*"), numeric, int(form.removeprefix("an").removeprefix("n")))


def _element(text: str) -> Element:
    return Element(text.startswith("!"), tuple(_component(part) for part in text.lstrip("!").split(":")))


SEGMENTS = {tag: tuple(_element(part) for part in layout.split()) for tag, layout in _LAYOUTS.items()}


@dataclass(frozen=True, slots=True)
class Rule:
    """How often a segment may stand at its place; with ``inside`` it opens a group."""

    tag: str
    fewest: int
    most: int
    name: str = ""
    """Of the group, ``SG25``"""
    inside: tuple[Rule, ...] = ()


_DATES = (Rule("DTM", 0, 5),)
_TAX_AMOUNT = (Rule("MOA", 0, 1),)
_ALLOWANCE = (Rule("PCD", 0, 1), Rule("MOA", 0, 2), Rule("TAX", 0, 5, "SG-TAX", _TAX_AMOUNT))
_PARTY = (
    Rule("FII", 0, 5),
    Rule("RFF", 0, 9999, "SG3", _DATES),
    Rule("CTA", 0, 5, "SG5", (Rule("COM", 0, 5),)),
)
_LINE = (
    Rule("PIA", 0, 25), Rule("IMD", 0, 10), Rule("QTY", 0, 5), Rule("DTM", 0, 35), Rule("FTX", 0, 5),
    Rule("MOA", 0, 5, "SG26", (Rule("CUX", 0, 1),)),
    Rule("PRI", 0, 25, "SG28", _DATES),
    Rule("RFF", 0, 10, "SG29", _DATES),
    Rule("TAX", 0, 99, "SG33", _TAX_AMOUNT),
    Rule("ALC", 0, 15, "SG38", _ALLOWANCE),
)  # fmt: skip
INVOIC = (
    Rule("BGM", 1, 1), Rule("DTM", 1, 35), Rule("PAI", 0, 1), Rule("FTX", 0, 10),
    Rule("RFF", 0, 99, "SG1", _DATES),
    Rule("NAD", 0, 99, "SG2", _PARTY),
    Rule("TAX", 0, 5, "SG6", _TAX_AMOUNT),
    Rule("CUX", 0, 5, "SG7", _DATES),
    Rule("PAT", 0, 10, "SG8", (Rule("DTM", 0, 5), Rule("PCD", 0, 1), Rule("MOA", 0, 1))),
    Rule("ALC", 0, 9999, "SG15", _ALLOWANCE),
    Rule("LIN", 0, 9_999_999, "SG25", _LINE),
    Rule("UNS", 1, 1), Rule("CNT", 0, 10),
    Rule("MOA", 1, 100, "SG48", (Rule("RFF", 0, 1, "SG49", _DATES),)),
    Rule("TAX", 0, 10, "SG50", (Rule("MOA", 0, 2),)),
    Rule("ALC", 0, 15, "SG51", (Rule("MOA", 0, 2),)),
)  # fmt: skip


class Misplaced(ValueError):
    """A segment stands where none, or another one, may stand; either is None where there is none."""

    def __init__(self, expected: str | None, found: Segment | None) -> None:
        super().__init__(f"{found.tag if found else 'nothing'} instead of {expected}")
        self.expected = expected
        self.found = found


@dataclass(slots=True)
class Node:
    """A segment with the segments of the group that it opens."""

    segment: Segment
    name: str
    """The group's name, or the tag of a segment that opens none"""
    children: list[Node] = field(default_factory=list)

    def all(self, name: str, qualifier: str | None = None) -> list[Node]:
        """Children by group name or tag, and by the first component where that is asked for."""
        return [
            child
            for child in self.children
            if child.name == name and (qualifier is None or child.segment.get(0) == qualifier)
        ]

    def first(self, name: str, qualifier: str | None = None) -> Segment | None:
        """The first such segment."""
        found = self.all(name, qualifier)
        return found[0].segment if found else None


def _grow(rules: Sequence[Rule], segments: Sequence[Segment], at: int, parent: Node) -> int:
    for rule in rules:
        count = 0
        while at < len(segments) and count < rule.most and segments[at].tag == rule.tag:
            node = Node(segments[at], rule.name or rule.tag)
            parent.children.append(node)
            at = _grow(rule.inside, segments, at + 1, node)
            count += 1
        if count < rule.fewest:
            raise Misplaced(rule.tag, segments[at] if at < len(segments) else None)
    return at


def tree(header: Segment, body: Sequence[Segment]) -> Node:
    """The message's segments in their groups; ``body`` is what stands between UNH and UNT. Raises ``Misplaced``."""
    root = Node(header, "UNH")
    at = _grow(INVOIC, body, 0, root)
    if at < len(body):
        raise Misplaced(None, body[at])
    return root
