"""One document as the source has it now. No transaction is open while the source is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Document
from invoiceapp.services.configuration import sources
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.sources.base import DocumentQuery, Source, SourceDocument

from . import standing


@contextmanager
def opened(document: Document) -> Iterator[Source]:
    """Its source. Raises ``SourceError``, and ``Conflict`` where the adaptor is off or the token another company's."""
    with transaction() as session:
        adaptor = session.get_one(Adaptor, document.adaptor_id)
        standing.require(adaptor)
        company, found = adaptor.organization, sources.open_source(adaptor)
    with found as source:
        sources.require_company(source, company)
        yield source


def read(source: Source, source_id: str) -> SourceDocument | None:
    """The approved document; None where there is none. Raises ``SourceError``."""
    found = next(iter(source.documents(DocumentQuery(ids=(source_id,)))), None)
    if found is None and source.skipped:
        raise source.skipped[0][1]
    return found


def read_again(document: Document) -> SourceDocument:
    """The document as the source has it now. Raises ``SourceError``, ``ServiceError``, ``Conflict``."""
    source_id = document.source_id
    with opened(document) as source:
        found = read(source, source_id)
    if found is None:
        raise ServiceError(
            Text("Dokumentet findes ikke som godkendt i Billy længere.", "The document is no longer approved in Billy.")
        )
    return found
