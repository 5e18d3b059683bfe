"""What an archived e-invoice says: the file as people read it, and the invoice that a receiver's system finds in it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Format, Unreadable
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Rendition

from . import archive, markup
from .markup import Shown

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contents:
    """Either part is None where the format does not have it."""

    shown: Shown | None = None
    invoice: Invoice | None = None


NOTHING = Contents()


def of(rendition: Rendition) -> Contents:
    """Read the very bytes that are sent. Raises ``ArchiveCorrupt``, ``ArchiveUnavailable``."""
    fmt = formats().get(rendition.format)
    if fmt is None:
        return NOTHING
    content = archive.load(rendition.sha256)
    locations = [found["location"] for found in rendition.findings if found.get("location")]
    try:
        return Contents(_shown(fmt, content, locations), fmt.reader(content) if fmt.reader else None)
    except Unreadable as error:
        log.warning("rendition %s cannot be read back: %s", rendition.id, error)
        return NOTHING


def _shown(fmt: Format, content: bytes, locations: list[str]) -> Shown | None:
    if fmt.shown is not None:
        return markup.as_lines(fmt.shown(content))
    return markup.as_html(fmt.payload(content), locations)
