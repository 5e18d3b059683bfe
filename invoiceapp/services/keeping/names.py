"""Names of files and folders that every system takes, Windows too, whatever somebody called their invoice."""

from __future__ import annotations

from invoiceapp.domain.file_names import safe_filename

LONGEST = 60
#: Windows takes these for devices, also with an extension.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(10))}
)


def safe(text: str, longest: int = LONGEST) -> str:
    """ASCII letters, digits, dot, dash and underscore; no device, no dot at either end."""
    name = safe_filename(text, longest).strip("-.") or "document"
    return f"_{name}"[:longest].rstrip("-.") if name.split(".")[0].lower() in _DEVICES else name


def folder(number: str, document_id: str) -> str:
    """Of one document; unlike all others, also where letters of different case are the same."""
    return f"{safe(number, 40)}-{document_id}"


def file(position: int, wanted: str) -> str:
    """Of one of its files: its own name, and a number that tells those of one name apart."""
    stem, dot, extension = wanted.rpartition(".")
    end = f".{safe(extension, 8)}" if dot and extension.isalnum() else ""
    return f"{position}-{safe(stem if end else wanted)}{end}"
