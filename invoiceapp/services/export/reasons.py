"""Why a document cannot be converted, in words: what the page shows while it waits, and once it is blocked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Finding, Severity, Text, Turn, fatal, warning
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Document
from invoiceapp.services.delivery import numbers
from invoiceapp.services.delivery.numbers import Holder
from invoiceapp.services.delivery.order import UNSENT
from invoiceapp.services.errors import ServiceError
from invoiceapp.sources.base import Channel, CredentialsRefused, SentItself, SourceError, SourceUnavailable

from . import archive

UNEXPECTED = Text(
    "Uventet fejl ved konverteringen; vi prøver igen.", "Unexpected error in the conversion; we will try again."
)

#: The program fails with this document, every time.
INTERNAL = fatal(
    "IA-INTERNAL",
    "Konverteringen fejler på grund af en fejl i programmet. Send dokumentets nummer til den, der driver serveren.",
    "The conversion fails because of a fault in the program. Send the document's number to whoever runs the server.",
    turn=Turn.OPERATOR,
)

#: The settings want the PDF inside the e-invoice, and there is none.
NO_PDF = fatal(
    "IA-PDF",
    "PDF'en, der skal ligge i e-fakturaen, kan ikke dannes på serveren. Giv besked til den, der driver serveren, eller slå "
    "indlejring af PDF fra.",
    "The PDF that belongs inside the e-invoice cannot be made on the server. Tell whoever runs the server, or switch "
    "embedding of the PDF off.",
    turn=Turn.OPERATOR,
    fix="general.embedPdf",
)

#: What only whoever runs the installation can mend.
_OPERATORS = (SourceError, archive.ArchiveUnavailable, archive.ArchiveCorrupt)


def unknown_format(format_id: str) -> Finding:
    """The customer's rule names a format that this installation does not have (any more)."""
    return fatal(
        "IA-FORMAT",
        f"Kundens format, {format_id}, findes ikke i denne installation. Vælg et andet format på kunden.",
        f"The customer's format, {format_id}, does not exist in this installation. Choose another format for the customer.",
        turn=Turn.HERE,
        fix="customer.format",
    )


def given_up(error: SourceError | ServiceError) -> Finding:
    """What was waited for in vain; whose turn it is follows from the kind of error."""
    if isinstance(error, SourceUnavailable):
        turn = Turn.SOURCE
    elif isinstance(error, CredentialsRefused) or not isinstance(error, _OPERATORS):
        turn = Turn.HERE
    else:
        turn = Turn.OPERATOR
    return Finding(
        "IA-WAITED",
        Severity.FATAL,
        Text(
            f"Konverteringen er forsøgt i flere timer uden held: {error.text.da} Tryk »Hent igen og dan på ny«, når det er løst.",
            f"The conversion was tried for hours in vain: {error.text.en} "
            "Press “Fetch again and rebuild” when that is solved.",
        ),
        turn,
    )


#: Rules that pages and services know by name.
APPROVE_FIRST = "IA-APPROVE-FIRST"
ALREADY_SENT = "IA-ALREADY-SENT"
SENT_ELSEWHERE = "IA-SENT-ELSEWHERE"
NUMBER_TAKEN = numbers.RULE
BEFORE_INVOICE = "IA-BEFORE-INVOICE"

_DENMARK = ZoneInfo("Europe/Copenhagen")
_CHANNELS = {
    Channel.EMAIL: Text("på e-mail", "by e-mail"),
    Channel.EINVOICE: Text("som e-faktura", "as an e-invoice"),
}


def approve_first(customer_name: str) -> Finding:
    """The settings ask for a person's eyes on the first document to each customer."""
    return fatal(
        APPROVE_FIRST,
        f"Det er det første dokument til {customer_name}. Se det igennem, og godkend kunden én gang; derefter sendes "
        "kundens dokumenter af sig selv.",
        f"This is the first document to {customer_name}. Look it over and approve the customer once; after that the "
        "customer's documents are sent by themselves.",
        turn=Turn.HERE,
        fix="customer.approval",
    )


def _when(at: datetime | None) -> Text:
    if at is None:
        return Text("", "")
    local = at.astimezone(_DENMARK)
    return Text(f" den {local:%d.%m.%Y kl. %H.%M}", f" on {local:%d/%m/%Y at %H:%M}")


def how_sent(source: Text, sent: SentItself) -> Text:
    """``Billy har selv sendt dokumentet på e-mail; kunden har åbnet det``, without the last full stop."""
    channel, when = _CHANNELS[sent.channel], _when(sent.at)
    da, en = (f"; {sent.means.da}", f"; {sent.means.en}") if sent.means else ("", "")
    return Text(
        f"{source.da} har selv sendt dokumentet {channel.da}{when.da}{da}",
        f"{source.en} itself has sent the document {channel.en}{when.en}{en}",
    )


def already_sent(source: Text, sent: SentItself) -> Finding:
    """It goes out all the same, because the settings say so."""
    how = how_sent(source, sent)
    return warning(
        ALREADY_SENT,
        f"{how.da}. Kunden kan derfor få det to gange. Under Generelt kan I vælge, at sådanne dokumenter springes over.",
        f"{how.en}. So the customer may get it twice. Under General you can choose to skip such documents.",
        turn=Turn.HERE,
        fix="general.alreadyMailed" if sent.channel is Channel.EMAIL else "general.alreadyEinvoiced",
    )


def skipped(source: Text, sent: Sequence[SentItself]) -> Text:
    """Why a document is left out, and what a person may do."""
    ways = [how_sent(source, one) for one in sent]
    return Text(
        f"{'. '.join(way.da for way in ways)}. Indstillingerne under Generelt siger, at det så springes over. Skal kunden have "
        "det alligevel, så tryk »Send alligevel«.",
        f"{'. '.join(way.en for way in ways)}. The General settings say to skip it then. If the customer shall have it all the "
        "same, press “Send anyway”.",
    )


#: The words are kept, so they say nothing that soon is true no longer.
_ON_ITS_WAY = Text("sendes også", "is sent too")
_UNCLEAR = Text("kan være nået frem", "may have arrived")
_STATES = {
    "queued": _ON_ITS_WAY,
    "pending": _ON_ITS_WAY,
    **dict.fromkeys(("accepted", "delivered", "acknowledged"), Text("er sendt", "was sent")),
}
_KINDS = {
    DocumentType.INVOICE: Text("faktura", "invoice"),
    DocumentType.CREDIT_NOTE: Text("kreditnota", "credit note"),
}


def _how(holder: Holder) -> Text:
    """``er sendt den 02.11.2026 kl. 10.00``."""
    state, when = _STATES.get(holder.status, _UNCLEAR), _when(holder.sent_at)
    return Text(f"{state.da}{when.da}", f"{state.en}{when.en}")


def _elsewhere(holder: Holder) -> Text:
    how = _how(holder)
    return Text(
        f"Det samme dokument {how.da} gennem adaptoren »{holder.adaptor}«",
        f"The same document {how.en} through the adaptor “{holder.adaptor}”",
    )


def waits_elsewhere(holder: Holder) -> Text:
    """Why the same record of another adaptor is not made ready yet, and how that ends."""
    if holder.status == DeliveryState.OUTCOME_UNKNOWN.value:
        da = f"Det samme dokument kan være nået frem gennem adaptoren »{holder.adaptor}«. Afgør det dér."
        en = f"The same document may have arrived through the adaptor “{holder.adaptor}”. Decide it there."
    else:
        da = f"Det samme dokument venter på at blive sendt gennem adaptoren »{holder.adaptor}«."
        en = f"The same document waits to be sent through the adaptor “{holder.adaptor}”."
    return Text(
        f"{da} Når det frem, springes det over her. Ellers sendes det herfra af sig selv.",
        f"{en} If it arrives, it is skipped here. Else it is sent from here by itself.",
    )


def skipped_elsewhere(holder: Holder) -> Text:
    """Why the same record of another adaptor is left out, and what a person may do."""
    how = _elsewhere(holder)
    return Text(
        f"{how.da}, så det springes over her. Skal kunden have det en gang til, så tryk »Send alligevel«.",
        f"{how.en}, so it is skipped here. If the customer shall have it once more, press “Send anyway”.",
    )


def sent_elsewhere(holder: Holder) -> Finding:
    """It goes out all the same, because the settings say so."""
    how = _elsewhere(holder)
    return warning(
        SENT_ELSEWHERE,
        f"{how.da}. Kunden kan derfor få det to gange. Under Generelt kan I vælge, at sådanne dokumenter springes over.",
        f"{how.en}. So the customer may get it twice. Under General you can choose to skip such documents.",
        turn=Turn.HERE,
        fix="general.alreadyElsewhere",
    )


def number_taken(kind: DocumentType, holder: Holder) -> Finding:
    """Another document of the same seller, type and number may have reached the receiver."""
    how, what = (_elsewhere if holder.is_same_record else _how)(holder), _KINDS[kind]
    da = how.da if holder.is_same_record else f"En anden {what.da} med nummer {holder.number} {how.da}"
    en = how.en if holder.is_same_record else f"Another {what.en} with the number {holder.number} {how.en}"
    return fatal(
        NUMBER_TAKEN,
        f"{da}. Er det den samme, skal den ikke sendes igen: vælg »Markér som håndteret udenfor«. Skal modtageren have begge, så "
        "vælg »Send alligevel« og skriv hvorfor.",
        f"{en}. If it is the same one, it must not be sent again: choose “Mark as handled outside”. If the receiver shall have "
        "both, choose “Send anyway” and write why.",
        turn=Turn.HERE,
        fix=f"document.{holder.document_id}",
    )


def before_invoice(invoice: Document) -> Finding:
    """A credit note whose invoice its receiver does not get from here."""
    how = UNSENT[invoice.status]
    return warning(
        BEFORE_INVOICE,
        f"Kreditnotaen krediterer faktura {invoice.number}, {how.da}. Skal modtageren have fakturaen herfra, så send den først.",
        f"The credit note takes back invoice {invoice.number}, {how.en}. If the receiver shall get the invoice from here, send it "
        "first.",
        turn=Turn.HERE,
        fix=f"document.{invoice.id}",
    )
