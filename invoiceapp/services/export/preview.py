"""Pictures of a PDF's pages, for people who look before they download."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoiceapp.domain.findings import Text
from invoiceapp.services.errors import ServiceError

if TYPE_CHECKING:
    import pypdfium2

MOST_PAGES = 10
#: Pixels of the longer side: sharp on a screen, and a page of any size stays a small picture.
LONGER_SIDE = 1400

#: PDFium keeps global state: one thread at a time, whatever documents they have open.
_LOCK = threading.Lock()


class PdfUnreadable(ServiceError):
    """Not a PDF, damaged, or locked with a password."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "PDF-filen kan ikke vises her. Hent den for at åbne den på din egen computer.",
                "The PDF cannot be shown here. Download it to open it on your own computer.",
            )
        )


@contextmanager
def _opened(content: bytes) -> Iterator[pypdfium2.PdfDocument]:
    import pypdfium2  # a library of 10 MB: only where a page is shown

    with _LOCK:
        try:
            document = pypdfium2.PdfDocument(content)
            try:
                yield document
            finally:
                document.close()
        except pypdfium2.PdfiumError as error:
            raise PdfUnreadable from error


def page_count(content: bytes) -> int:
    """How many pages can be shown, at most ``MOST_PAGES``. Raises ``PdfUnreadable``."""
    with _opened(content) as document:
        return min(len(document), MOST_PAGES)


def page_png(content: bytes, number: int) -> bytes:
    """Page ``number`` (from 1) as PNG. Raises ``PdfUnreadable``, ``IndexError``."""
    with _opened(content) as document:
        if not 1 <= number <= min(len(document), MOST_PAGES):
            raise IndexError(number)
        page = document[number - 1]
        picture = page.render(scale=LONGER_SIDE / max(*page.get_size(), 1)).to_pil()
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
