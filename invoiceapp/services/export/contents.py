"""What an archived e-invoice says: the file as people read it, and the invoice that a receiver's system finds in it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Format, Unreadable
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Rendition

from . import archive, markup
from .markup import Shown, Words

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contents:
    """Either part is None where the format does not have it."""

    shown: Shown | None = None
    invoice: Invoice | None = None


NOTHING = Contents()


def of(
    rendition: Rendition, locations: Sequence[str | None] = (), *, whole: bool = False, words: Words | None = None
) -> Contents:
    """Read the very bytes that are sent. Raises ``ArchiveCorrupt``, ``ArchiveUnavailable``.

    ``locations`` are those of the findings that the page shows, in its order; ``whole`` shows a long file to its end.
    """
    fmt = formats().get(rendition.format)
    if fmt is None:
        return NOTHING
    content = archive.load(rendition.sha256)
    try:
        shown = _shown(fmt, content, locations, whole, words or Words())
    except Unreadable as error:
        log.warning("rendition %s cannot be shown: %s", rendition.id, error)
        return NOTHING
    return Contents(shown, _read(fmt, content, rendition.id))


def _read(fmt: Format, content: bytes, rendition_id: str) -> Invoice | None:
    """None, too, for a file that breaks the rules so that it cannot be read; it is shown all the same."""
    try:
        return fmt.reader(content) if fmt.reader else None
    except Unreadable as error:
        log.warning("rendition %s cannot be read back: %s", rendition_id, error)
        return None


def _shown(fmt: Format, content: bytes, locations: Sequence[str | None], whole: bool, words: Words) -> Shown | None:
    if fmt.explained is not None:
        return markup.as_segments(fmt.explained(content), locations, whole=whole, words=words)
    if fmt.shown is not None:
        return markup.as_lines(fmt.shown(content), whole=whole)
    return markup.as_html(fmt.payload(content), locations, whole=whole, words=words)
