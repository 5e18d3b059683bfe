"""Which documents the settings let through, and in words why one was read and not exported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from babel.dates import format_date
from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Adaptor, Document, ExportRule, Stage, db
from invoiceapp.services.configuration.settings import is_excluded


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a document was read and is not exported: a few words for lists, a sentence for its own page."""

    short: Text
    long: Text


_NOT_ACTIVATED = Reason(
    Text("Kunden er ikke aktiveret", "The customer is not activated"),
    Text(
        "Kunden er ikke aktiveret. Aktivér kunden; derefter tager en manuel eksport dokumentet med.",
        "The customer is not activated. Activate the customer; then a manual export takes the document.",
    ),
)
TOO_OLD = Reason(
    Text("Ældre end startdatoen", "Older than the start date"),
    Text(
        "Dokumentet er ældre end den første dato, der eksporteres fra. Datoen kan ændres på adaptoren.",
        "The document is older than the first date that is exported. The date can be changed on the adaptor.",
    ),
)
RESTORED = Reason(
    Text("Kan være sendt før gendannelsen", "May have left before the restore"),
    Text(
        "Programmet er gendannet fra en sikkerhedskopi, efter at dokumentet blev godkendt. Det kan være sendt allerede, så det "
        "sendes ikke af sig selv. Spørg modtageren; mangler dokumentet der, så tager en manuel eksport det med.",
        "The program was restored from a backup after the document was approved. It may have left already, so that it is not "
        "sent by itself. Ask the receiver; if they do not have it, a manual export takes it.",
    ),
)
#: Sources write times without a zone; Danish summer time is two hours ahead.
_ZONELESS = timedelta(hours=2)
_READ_ONLY = Reason(
    Text("Læst, men ikke valgt til eksport", "Read, but not chosen for export"),
    Text(
        "Dokumentet blev læst, uden at noget skulle sendes, f.eks. før kunden blev aktiveret. En manuel eksport tager det med.",
        "The document was read while nothing was to be sent, for example before the customer was activated. A manual export "
        "takes it.",
    ),
)
_NO_CREDIT_NOTES = Reason(
    Text("Kreditnotaer eksporteres ikke til kunden", "Credit notes are not exported to the customer"),
    Text(
        "Kreditnotaer eksporteres ikke til denne kunde: se »Eksportér« under Generelle indstillinger.",
        "Credit notes are not exported to this customer: see “Export” in the General settings.",
    ),
)
_NO_INVOICES = Reason(
    Text("Fakturaer eksporteres ikke til kunden", "Invoices are not exported to the customer"),
    Text(
        "Fakturaer eksporteres ikke til denne kunde: se »Eksportér« under Generelle indstillinger.",
        "Invoices are not exported to this customer: see “Export” in the General settings.",
    ),
)


def excluded(kind: DocumentType) -> Reason:
    """The words for a type that the settings leave out."""
    return _NO_CREDIT_NOTES if kind is DocumentType.CREDIT_NOTE else _NO_INVOICES


def too_old(document: Document, start_date: date) -> Text:
    """What a person is told who asked for a document that is older than the start date."""

    def _days(language: str) -> tuple[str, str]:
        issued, first = (format_date(one, "medium", locale=language) for one in (document.issue_date, start_date))
        return issued, first

    (issued, first), (issued_en, first_en) = _days("da"), _days("en_GB")
    return Text(
        f"{document.number} er fra {issued}, og adaptoren sender kun dokumenter fra {first}. Ret »Tidligste dokumentdato« "
        "under Generelt, hvis den skal sendes.",
        f"{document.number} is of {issued_en}, and the adaptor sends only documents from {first_en} on. Correct “Earliest "
        "document date” under General if it is to be sent.",
    )


def is_too_old(document: Document, adaptor: Adaptor) -> bool:
    """Whether it is older than the first date that is exported: such documents are never sent."""
    return adaptor.start_date is not None and document.issue_date < adaptor.start_date


def may_have_left(document: Document, adaptor: Adaptor) -> bool:
    """Whether it was approved before the adaptor was brought back from a backup: nobody knows whether it has left since.

    Such a document is sent only where a person chooses it.
    """
    if adaptor.restored_at is None:
        return False
    if document.approved_at is None:
        return document.issue_date <= adaptor.restored_at.date()
    approved = datetime.fromisoformat(document.approved_at)
    if approved.tzinfo is None:
        approved = approved.replace(tzinfo=UTC) - _ZONELESS
    return approved <= adaptor.restored_at


def _why(document: Document, adaptor: Adaptor, active: bool | None, override: Mapping[str, Any]) -> Reason:
    if not active:
        return _NOT_ACTIVATED
    if is_too_old(document, adaptor):
        return TOO_OLD
    if is_excluded(document.type, adaptor.settings, override):
        return excluded(document.type)
    return RESTORED if may_have_left(document, adaptor) else _READ_ONLY


def why_listed(documents: Iterable[Document]) -> dict[str, Reason]:
    """By the document's id: why it was read and not exported, as things are set now; only for those that are listed."""
    listed = [document for document in documents if document.stage is Stage.LISTED]
    if not listed:
        return {}
    rows = db.session.execute(
        select(ExportRule.customer_id, ExportRule.active, ExportRule.settings).where(
            ExportRule.customer_id.in_({document.customer_id for document in listed if document.customer_id})
        )
    )
    rules = {customer_id: (active, settings) for customer_id, active, settings in rows}
    adaptors = {one: db.session.get_one(Adaptor, one) for one in {document.adaptor_id for document in listed}}
    return {
        document.id: _why(
            document, adaptors[document.adaptor_id], *rules.get(document.customer_id or "", (None, {}))
        )
        for document in listed
    }  # fmt: skip
