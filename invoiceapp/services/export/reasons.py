"""Why a document cannot be converted, in words: what the page shows while it waits, and once it is blocked."""

from __future__ import annotations

from invoiceapp.domain.findings import Finding, Severity, Text, Turn, fatal
from invoiceapp.services.errors import ServiceError
from invoiceapp.sources.base import CredentialsRefused, SourceError, SourceUnavailable

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
