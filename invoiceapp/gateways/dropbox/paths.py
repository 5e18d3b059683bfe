"""Where a file lies in the Dropbox: the same path in every attempt, from the consignment alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any

from invoiceapp.gateways.base import Consignment, safe_filename
from invoiceapp.gateways.file_drop import RemoteFile, remote_files

_BLOCK = 4 * 1024 * 1024
_TOKEN = re.compile(r"\{([a-z]+)\}")


def content_hash(content: bytes) -> str:
    """Dropbox's own: SHA-256 of the SHA-256 digests of blocks of 4 MiB; lower-case hexadecimal."""
    digests = (hashlib.sha256(content[at : at + _BLOCK]).digest() for at in range(0, len(content), _BLOCK))
    return hashlib.sha256(b"".join(digests)).hexdigest()


def files(consignment: Consignment, config: Mapping[str, Any]) -> list[RemoteFile]:
    """The document, then its PDFs where the gateway takes them along; ``path`` begins with a slash."""
    return remote_files(consignment, {**config, "folder": folder(consignment, config)})


def folder(consignment: Consignment, config: Mapping[str, Any]) -> str:
    """The folder, its tokens filled in. What has no value leaves nothing behind."""
    known = consignment.file_name.values
    year, month, *_ = (*known.get("date", "").split("-"), "", "")
    values = {
        "year": year,
        "month": month,
        "customer": known.get("customer") or consignment.receiver_name,
        "type": consignment.document_type,
    }
    filled = (
        _TOKEN.sub(lambda match: _plain(values.get(match[1], "")), part)
        for part in str(config.get("folder") or "").split("/")
    )
    return "/" + "/".join(_kept(filled))


def fixed_folder(config: Mapping[str, Any]) -> str:
    """The part of the folder that is the same for all documents; ``/`` where there is none."""
    parts = str(config.get("folder") or "").split("/")
    return "/" + "/".join(_kept(takewhile(lambda part: "{" not in part, parts)))


def _plain(value: str) -> str:
    return safe_filename(value, 60) if value else ""


def _kept(parts: Iterable[str]) -> list[str]:
    """Names without what Dropbox trims from them; no empty ones, and none that leads upwards."""
    names = (part.strip(" ") for part in parts)
    return [name for name in names if name.strip(".")]
