"""YAML into texts, lists and mappings with their lines.

Every scalar stays the text that was written: YAML's guesses (``no`` is false,
``0088`` is octal, ``2026-11-01`` is a date) would change numbers and names. The
declared fields say what a text means. Only a plain ``null``, ``~`` or nothing
is no value. Anchors, aliases and tags are refused, so that neither small files
grow large nor a file chooses code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml  # type: ignore[import-untyped]

from invoiceapp.domain.findings import Text

from .problems import ConfigurationInvalid, Problem, Problems, join

#: Bytes.
LARGEST = 5 * 1024 * 1024
#: Levels of lists and mappings; the deepest of ours is nine.
DEEPEST = 20
#: Neither database nor UTF-8 can carry them.
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")
_NOTHING = frozenset(["", "~", "null", "Null", "NULL"])
# libyaml where PyYAML was built with it: the same events, ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Node:
    """A value and the line that it (or its key) stands on."""

    line: int
    value: str | dict[str, Node] | list[Node] | None


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read."""

    node: Node
    place: str
    key: str | None = None
    key_line: int = 0


@dataclass(slots=True)
class _Composer:
    problems: Problems = field(default_factory=Problems)
    root: Node | None = None
    open: list[_Open] = field(default_factory=list)

    def take(self, event: Any) -> None:
        """The next event of the parser."""
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._stop(line, Text("Filen må kun rumme ét dokument.", "The file may hold one document only."))
        if isinstance(event, yaml.CollectionEndEvent):
            self.open.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._refuse(event, line)
            self._node(event, line)

    def _refuse(self, event: Any, line: int) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            refused = Text(
                "Ankre og aliasser (& og *) kan ikke bruges.", "Anchors and aliases (& and *) cannot be used."
            )
            self.problems.add(line, self._place(), refused)
        elif event.tag is not None:
            self.problems.add(line, self._place(), Text("Tags (!) kan ikke bruges.", "Tags (!) cannot be used."))

    def _node(self, event: Any, line: int) -> None:
        holder = self.open[-1] if self.open else None
        if holder is not None and isinstance(holder.node.value, dict) and holder.key is None:
            self._key(holder, event, line)
            return
        node, place = Node(line, self._value(event, line)), self._place()
        self._put(node)
        if isinstance(event, yaml.CollectionStartEvent):
            self.open.append(_Open(node, place))
            if len(self.open) > DEEPEST:
                self._stop(line, Text("Filen har for mange niveauer.", "The file has too many levels."))

    def _value(self, event: Any, line: int) -> str | dict[str, Node] | list[Node] | None:
        if isinstance(event, yaml.MappingStartEvent):
            return {}
        if isinstance(event, yaml.SequenceStartEvent):
            return []
        if isinstance(event, yaml.AliasEvent) or (not event.style and event.value in _NOTHING):
            return None
        if _UNUSABLE.search(event.value):
            text = Text(
                "Teksten rummer et tegn, der ikke kan gemmes.", "The text holds a character that cannot be stored."
            )
            self.problems.add(line, self._place(), text)
        return str(event.value)

    def _key(self, holder: _Open, event: Any, line: int) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            self._stop(line, Text("En nøgle skal være en tekst.", "A key must be a text."))
        holder.key, holder.key_line = str(event.value), line
        if holder.key in (holder.node.value or ()):
            self.problems.add(
                line, self._place(), Text("Nøglen står der to gange.", "The key is there twice.")
            )  # fmt: skip

    def _put(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        holder = self.open[-1]
        if isinstance(holder.node.value, list):
            holder.node.value.append(node)
        elif isinstance(holder.node.value, dict) and holder.key is not None:
            node.line = holder.key_line
            holder.node.value.setdefault(holder.key, node)
            holder.key = None

    def _place(self) -> str:
        """Where the next value will stand; a key that was just read is part of it."""
        if not self.open:
            return ""
        holder = self.open[-1]
        if isinstance(holder.node.value, list):
            return f"{holder.place}[{len(holder.node.value)}]"
        return join(holder.place, holder.key) if holder.key is not None else holder.place

    def _stop(self, line: int, text: Text) -> None:
        self.problems.add(line, self._place(), text)
        self.problems.settle()


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number] if number < len(lines) else ""


def _syntax(error: yaml.YAMLError, text: str) -> Problem:
    """What the parser says, in one line."""
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    hint = Text("", "")
    if mark is not None and re.match(" *\t", _line(text, mark.line)):
        hint = Text(" Ryk ind med mellemrum, ikke med tabulator.", " Indent with blanks, not with tabs.")
    return Problem(
        mark.line + 1 if mark else 0,
        "",
        Text(f"Det er ikke gyldig YAML: {said}.{hint.da}", f"This is not valid YAML: {said}.{hint.en}"),
    )


def _text(content: bytes) -> str:
    if len(content) > LARGEST:
        raise ConfigurationInvalid([Problem(0, "", Text("Filen er over 5 MB.", "The file is larger than 5 MB."))])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = Text("Filen er ikke gemt som UTF-8.", "The file is not stored as UTF-8.")
        raise ConfigurationInvalid([Problem(line, "", text)]) from error


def read(content: bytes) -> tuple[Node, Problems]:
    """The file's mapping, and what was wrong without being the end. Raises ``ConfigurationInvalid``."""
    text = _text(content)
    composer = _Composer()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            composer.take(event)
    except yaml.YAMLError as error:
        raise ConfigurationInvalid([*composer.problems.found, _syntax(error, text)]) from error
    root = composer.root
    if root is None or not isinstance(root.value, dict):
        wrong = Text(
            "Filen skal begynde med nøgler som »version: 1« og »subscription: …«.",
            "The file must begin with keys such as “version: 1” and “subscription: …”.",
        )
        raise ConfigurationInvalid([*composer.problems.found, Problem(1, "", wrong)])
    return root, composer.problems
