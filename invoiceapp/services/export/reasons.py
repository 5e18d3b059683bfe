"""Why a document cannot be converted, in words: what the page shows while it waits, and once it is blocked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from invoiceapp.domain.findings import Finding, Severity, Text, Turn, fatal, warning
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
    """``Billy har selv sendt dokumentet på e-mail (…)``, without the last full stop."""
    channel, when = _CHANNELS[sent.channel], _when(sent.at)
    return Text(
        f"{source.da} har selv sendt dokumentet {channel.da}{when.da} ({sent.detail})",
        f"{source.en} itself has sent the document {channel.en}{when.en} ({sent.detail})",
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
