"""PDFs are drawn in a process of their own.

WeasyPrint takes 60 MB and grows with long documents (155 MB for 18 pages); kept
apart, the worker that holds the validation rules stays small and flat, and a
document that breaks the renderer breaks nothing else.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Format, Parameters
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.pdf import writer
from invoiceapp.processes import die_with_parent, end_pool
from invoiceapp.services.errors import ServiceError

#: Documents after which the drawing process is replaced, which gives its memory back.
_LIFETIME = 200
#: Seconds; a 1000-line invoice takes about twelve, and 300 MB.
_DEADLINE = 120

log = logging.getLogger(__name__)

_lock = threading.Lock()
_pool: ProcessPoolExecutor | None = None


class CannotDraw(ServiceError):
    """The PDF engine is missing, died, took too long or failed with this invoice."""


def _executor() -> ProcessPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=die_with_parent,
                max_tasks_per_child=_LIFETIME,
            )
        return _pool


def _forget() -> None:
    global _pool
    with _lock:
        if _pool is not None:
            end_pool(_pool)
        _pool = None


def _written(format_id: str, invoice: Invoice, parameters: Parameters | None) -> bytes:
    """In the drawing process."""
    return formats()[format_id].write(invoice, parameters)


def draw(invoice: Invoice) -> bytes:
    """The invoice as PDF bytes. Raises ``CannotDraw``."""
    return write(formats()["pdf"], invoice)


def write(fmt: Format, invoice: Invoice, parameters: Parameters | None = None) -> bytes:
    """The invoice in a format that is drawn. Raises ``CannotDraw``."""
    return _drawn(f"invoice {invoice.number}", _written, fmt.id, invoice, parameters)


def page(html: str, identifier: str, made: str) -> bytes:
    """A page of ours, as ``writer.write_page``. Raises ``CannotDraw``."""
    return _drawn(f"page {identifier}", writer.write_page, html, identifier, made)


def _drawn(what: str, draw_it: Callable[..., bytes], *arguments: object) -> bytes:
    try:
        return _executor().submit(draw_it, *arguments).result(_DEADLINE)
    except writer.PdfEngineMissing as error:
        raise CannotDraw(
            Text(
                f"PDF kan ikke tegnes, før serveren er gjort færdig: {error}",
                f"PDFs cannot be drawn until the server is complete: {error}",
            )
        ) from error
    except (BrokenProcessPool, TimeoutError) as error:
        _forget()
        raise CannotDraw(
            Text("PDF'en kunne ikke tegnes; vi prøver igen.", "The PDF could not be drawn; we will try again.")
        ) from error
    except Exception as error:
        # Whatever this document does to the engine: its drawing fails, nothing else.
        log.exception("%s could not be drawn", what)
        raise CannotDraw(
            Text(
                "PDF'en kan ikke tegnes på grund af en fejl i programmet.",
                "The PDF cannot be drawn because of a fault in the program.",
            )
        ) from error
