"""Fails where a collected text has no Danish, or where the compiled catalogue is older than its source."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


def _translated(catalog: Catalog) -> set[object]:
    return {message.id for message in catalog if message.id and all(_strings(message.string))}


def _strings(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ("",))


def main(template: str, po: str) -> int:
    """Print what is wrong; the exit status."""
    with open(po, "rb") as file:
        danish = read_po(file, locale="da")
    problems = [
        f"no Danish for: {message.id!r}" for message in danish if message.id and not all(_strings(message.string))
    ]
    if template != "-":
        with open(template, "rb") as file:
            wanted = {message.id for message in read_po(file) if message.id}
        problems += [f"not in the catalogue: {text!r}" for text in sorted(map(str, wanted - _translated(danish)))]
    compiled = io.BytesIO()
    write_mo(compiled, danish)
    if Path(po).with_suffix(".mo").read_bytes() != compiled.getvalue():
        problems.append("messages.mo is old")
    sys.stderr.write("\n".join(problems) + ("\nrun: make translations\n" if problems else ""))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
