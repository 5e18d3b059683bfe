"""A mapping of the file as we read it: declared fields in, parsed values out, and every problem with its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from invoiceapp.domain.fields import Field, FieldInvalid, FieldType, parse
from invoiceapp.domain.findings import Text

from .problems import Problems, join
from .reading import Node

_UNKNOWN = Text("Ukendt nøgle.", "Unknown key.")


@dataclass(frozen=True, slots=True)
class Section:
    """One mapping of the file."""

    node: Node
    place: str
    problems: Problems
    who: str = ""

    @property
    def entries(self) -> dict[str, Node]:
        """The values by key."""
        return self.node.value if isinstance(self.node.value, dict) else {}

    @property
    def is_good(self) -> bool:
        """Whether nothing was complained of so far, here or below."""
        below = (f"{self.place}.", f"{self.place}[")
        return not any(found.place == self.place or found.place.startswith(below) for found in self.problems.found)

    def named(self, who: str) -> Section:
        """The same, with the names that its problems are told with."""
        return replace(self, who=who)

    def complain(self, text: Text, name: str = "") -> None:
        """Note a problem with the section or with one of its keys."""
        line = self.entries[name].line if name in self.entries else self.node.line
        self.problems.add(line, join(self.place, name) if name else self.place, text, self.who)

    def only(self, known: Collection[str]) -> None:
        """Complain of keys that are not ``known``."""
        for name in self.entries:
            if name not in known:
                self.complain(_UNKNOWN, name)

    def given(self, fields: Iterable[Field]) -> dict[str, Any]:
        """Parsed values of those of the fields that the section has, None where one is empty."""
        values = {}
        for field in fields:
            if field.name in self.entries:
                try:
                    values[field.name] = parse(field, self._raw(field))
                except FieldInvalid as error:
                    self.complain(error.text, field.name)
        return values

    def required(self, field: Field) -> Any:
        """One value that must be there; None after a complaint."""
        if field.name not in self.entries:
            self.complain(Text(f"»{field.name}« mangler.", f"“{field.name}” is missing."))
            return None
        return self.given([replace(field, required=True)]).get(field.name)

    def section(self, name: str) -> Section | None:
        """The mapping at a key; None where there is none."""
        node = self.entries.get(name)
        if node is None:
            return None
        if not isinstance(node.value, dict):
            self.complain(Text("Her skal stå nøgler med værdier.", "Keys with values must stand here."), name)
            return None
        return Section(node, join(self.place, name), self.problems, self.who)

    def sections(self) -> Iterator[tuple[str, Section]]:
        """The mappings at all keys."""
        for name in self.entries:
            found = self.section(name)
            if found is not None:
                yield name, found

    def items(self, name: str) -> list[Section] | None:
        """The mappings of a list; None where the key is not there."""
        node = self.entries.get(name)
        if node is None:
            return None
        if not isinstance(node.value, list):
            self.complain(Text("Her skal stå en liste.", "A list must stand here."), name)
            return None
        found = [
            Section(item, f"{join(self.place, name)}[{number}]", self.problems, self.who)
            for number, item in enumerate(node.value)
        ]
        for item in found:
            if not isinstance(item.node.value, dict):
                item.complain(Text("Her skal stå nøgler med værdier.", "Keys with values must stand here."))
        return [item for item in found if isinstance(item.node.value, dict)]

    def _raw(self, field: Field) -> str:
        """What the file says, as a person would have typed it. Raises ``FieldInvalid``."""
        value = self.entries[field.name].value
        if field.type is FieldType.PARTICIPANT and isinstance(value, dict):
            parts = {name: node.value for name, node in value.items()}
            if set(parts) == {"scheme", "value"} and all(isinstance(part, str) for part in parts.values()):
                return f"{parts['scheme']}:{parts['value']}"
            raise FieldInvalid(Text("Skriv scheme og value.", "Give scheme and value."))
        if isinstance(value, dict | list):
            raise FieldInvalid(Text("Her skal stå én værdi.", "One value must stand here."))
        return value or ""
