"""Official style sheets, made faster without changing what they say (docs/decisions/0010).

A compiled Schematron walks the whole document once for each of its patterns,
OIOUBL's some thirty times, and writes a line into its report for every rule
that it asked. Two rewritings, which leave every test and every message alone:

1. ``svrl:fired-rule`` and ``svrl:active-pattern`` are not written. Nobody reads
   them; a document of 1 000 lines has a megabyte of them.
2. A pattern whose contexts are all plain paths from a document element
   (``doc:Invoice/cac:InvoiceLine``) is started at those very elements instead of
   at ``/``, and does not walk on from there. The same rules see the same elements
   in the same order, because a pattern's walk does nothing on its way. A pattern
   means such an element anywhere, so all of them are looked up, once a document.

What does not look exactly like that is left as it is. The second engine of
``make interop`` runs the untouched sheets and must come to the same findings.
"""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

_XSL = "{http://www.w3.org/1999/XSL/Transform}"
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
_PATTERN_MODE = re.compile(r"M[0-9]+")
_PLAIN_PATH = re.compile(r"[\w-]+:(Invoice|CreditNote)(/(cac|cbc|ext):[A-Za-z]+)*")
#: Sheets that read other files find them beside themselves, so they are compiled where they lie.
_READS_FILES = re.compile(rb"<xsl:(include|import)\b|\b(document|doc|unparsed-text)\(")
#: Templates of the walk itself, which every pattern has.
_WALK = frozenset({"text()", "@*|node()"})


def stands_alone(content: bytes) -> bool:
    """Whether the sheet can be compiled from another place."""
    return _READS_FILES.search(content) is None


def compact(path: Path) -> bytes:
    """An equivalent sheet that is faster. Raises ``etree.XMLSyntaxError``, ``OSError``."""
    root = etree.fromstring(path.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
    for name in ("fired-rule", "active-pattern"):
        for element in list(root.iter(_SVRL + name)):
            _remove(element)
    for mode, templates in _patterns(root).items():
        _start_at_contexts(root, mode, templates)
    written: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def _remove(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _patterns(root: etree._Element) -> dict[str, list[etree._Element]]:
    """The rule templates of each pattern, by mode."""
    found: dict[str, list[etree._Element]] = {}
    for template in root.findall(f"{_XSL}template"):
        mode = template.get("mode") or ""
        if _PATTERN_MODE.fullmatch(mode) and template.get("match") not in _WALK:
            found.setdefault(mode, []).append(template)
    return found


def _paths(template: etree._Element) -> list[str]:
    return [path.strip() for path in (template.get("match") or "").split("|")]


def _walks(parent: etree._Element, mode: str) -> list[etree._Element]:
    return [call for call in parent.iter(f"{_XSL}apply-templates") if call.get("mode") == mode]


def _start_at_contexts(root: etree._Element, mode: str, templates: list[etree._Element]) -> None:
    """Rewrite one pattern, if it is of the plain kind."""
    paths = dict.fromkeys(path for template in templates for path in _paths(template))
    starts = [call for call in _walks(root, mode) if call.get("select") == "/"]
    onwards = [_walks(template, mode) for template in templates]
    is_plain = all(_PLAIN_PATH.fullmatch(path) for path in paths)
    # A rule that does not walk on hides what lies below it; starting at the contexts would uncover that.
    if not is_plain or len(starts) != 1 or any(len(calls) != 1 for calls in onwards):
        return
    starts[0].set("select", " | ".join(_from_variable(starts[0], path) for path in paths))
    for (call,) in onwards:
        _remove(call)


def _from_variable(start: etree._Element, path: str) -> str:
    """The path, from a variable in the same template that holds all elements of its first name."""
    name, slash, rest = path.partition("/")
    variable = f"every-{name.replace(':', '-')}"
    template = next(start.iterancestors(f"{_XSL}template"))
    if template.find(f"{_XSL}variable[@name='{variable}']") is None:
        template.insert(0, template.makeelement(f"{_XSL}variable", {"name": variable, "select": f"//{name}"}))
    return f"${variable}{slash}{rest}"
