"""The names that files take on the server: the same in every attempt, from the consignment alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from invoiceapp.gateways.base import Consignment, Payload, safe_filename

from .fields import DEFAULT_FILENAME


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a consignment and the paths it takes on the server."""

    payload: Payload
    path: str
    part: str
    """Where it lies until it is complete"""


def remote_files(consignment: Consignment, config: Mapping[str, Any]) -> list[RemoteFile]:
    """The document, then its PDFs where the gateway takes them along."""
    key8 = safe_filename(consignment.key[:8])
    stem = consignment.stem(str(config.get("filename") or DEFAULT_FILENAME))
    pdfs = [file for file in consignment.companions if file.media_type == "application/pdf"]
    folder = PurePosixPath(config.get("folder") or ".")
    files: dict[str, RemoteFile] = {}
    for payload in (consignment.payload, *(pdfs if config.get("with_pdf") else ())):
        suffix = PurePosixPath(safe_filename(payload.filename)).suffix
        name = f"{stem}{suffix}"
        if name in files:
            name = f"{stem}_{len(files) + 1}{suffix}"
        files[name] = RemoteFile(payload, str(folder / name), str(folder / f".{key8}.{name}.part"))
    return list(files.values())
