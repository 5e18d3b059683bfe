"""Which store the settings name."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from invoiceapp.config import ObjectAccess, archive_place
from invoiceapp.current import config

from .base import Store
from .files import FileStore
from .objects import ObjectStore


def current() -> Store:
    """The installation's archive."""
    settings = config()
    return of_url(settings.archive_url or settings.archive_dir.as_uri())


def of_url(url: str) -> Store:
    """The store behind ``file:///…`` or ``s3://…``. Raises ``ConfigurationError``."""
    return _opened(os.getpid(), archive_place(url), config().archive_access)


@lru_cache(maxsize=8)
def _opened(_process: int, url: str, access: ObjectAccess) -> Store:
    """Connections are kept, by process: none is carried over a fork."""
    return _KINDS[urlsplit(url).scheme](url, access)


def _folder(url: str, _access: ObjectAccess) -> Store:
    return FileStore(Path(unquote(urlsplit(url).path)))


def _bucket(url: str, access: ObjectAccess) -> Store:
    parts = urlsplit(url)
    return ObjectStore(parts.netloc, unquote(parts.path).strip("/"), access)


_KINDS: dict[str, Callable[[str, ObjectAccess], Store]] = {"file": _folder, "s3": _bucket}
