"""Reading the XML of an SMP."""

from __future__ import annotations

from typing import Any

from invoiceapp.domain.network import Identifier

SMP = "{http://busdox.org/serviceMetadata/publishing/1.0/}"
IDS = "{http://busdox.org/transport/identifiers/1.0/}"
WSA = "{http://www.w3.org/2005/08/addressing}"


def only(parent: Any, path: str) -> Any:
    """The one element at a path; None where there is none, or more than one and so no telling which counts."""
    found = parent.findall(path)
    return found[0] if len(found) == 1 else None


def text_of(parent: Any, path: str) -> str:
    """The text of the one element at a path, without blanks around it."""
    element = only(parent, path)
    return (element.text or "").strip() if element is not None else ""


def identifier(element: Any) -> Identifier:
    """Scheme and value as they are written."""
    return Identifier(element.get("scheme") or "", (element.text or "").strip())
