"""Settings that hold for whole documents."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from invoiceapp.domain.fields import FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType

from .declaring import setting

_ALREADY_SENT = (
    ("skip", Text("Spring over: send det ikke", "Skip: do not send it")),
    ("warn", Text("Send det, med en advarsel på dokumentet", "Send it, with a warning on the document")),
    ("send", Text("Send det, og spørg ikke regnskabet", "Send it, and do not ask the accounting system")),
)

_ELSEWHERE = (
    ("skip", Text("Spring over: send det kun ad den ene vej", "Skip: send it by the other way only")),
    ("warn", Text("Send det, med en advarsel på dokumentet", "Send it, with a warning on the document")),
    ("send", Text("Send det uden at sige noget", "Send it without a word")),
)

_ONLY = {"invoices": DocumentType.INVOICE, "credit-notes": DocumentType.CREDIT_NOTE}


def excludes(document_types: str, kind: DocumentType) -> bool:
    """Whether ``GeneralSettings.document_types`` leaves this type out. A value that nobody knows leaves nothing out."""
    return _ONLY.get(document_types, kind) is not kind


@dataclass(frozen=True, slots=True)
class GeneralSettings:
    """Settings that hold for whole documents."""

    document_types: str = setting(
        "Eksportér",
        "Export",
        FieldType.CHOICE,
        default="both",
        choices=(
            ("both", Text("Fakturaer og kreditnotaer", "Invoices and credit notes")),
            ("invoices", Text("Kun fakturaer", "Invoices only")),
            ("credit-notes", Text("Kun kreditnotaer", "Credit notes only")),
        ),
    )
    already_mailed: str = setting(
        "Når regnskabet selv har sendt dokumentet på e-mail",
        "Where the accounting system itself has e-mailed the document",
        FieldType.CHOICE,
        default="warn",
        choices=_ALREADY_SENT,
    )
    already_einvoiced: str = setting(
        "Når regnskabet selv har sendt dokumentet som e-faktura",
        "Where the accounting system itself has sent the document as an e-invoice",
        FieldType.CHOICE,
        default="skip",
        choices=_ALREADY_SENT,
        help=Text(
            "Så undgår I, at kunden får den samme e-faktura to gange.",
            "So that the customer does not get the same e-invoice twice.",
        ),
    )
    already_elsewhere: str = setting(
        "Når det samme dokument er sendt gennem en anden adaptor",
        "Where the same document was sent through another adaptor",
        FieldType.CHOICE,
        default="skip",
        choices=_ELSEWHERE,
        help=Text(
            "Det kan ske, når det samme regnskab er forbundet to gange.",
            "That can happen where the same books are connected twice.",
        ),
    )
    hold_minutes: int = setting(
        "Vent før afsendelse (minutter)",
        "Wait before sending (minutes)",
        FieldType.INTEGER,
        default=0,
        smallest=0,
        largest=10_080,
        help=Text(
            "I ventetiden kan et dokument standses. Højst 10080 minutter (7 dage).",
            "A document can be stopped while it waits. At most 10080 minutes (7 days).",
        ),
    )
    approve_first: bool = setting(
        "En person skal godkende det første dokument til hver kunde",
        "A person must approve the first document to each customer",
        FieldType.BOOLEAN,
        default=False,
    )
    embed_pdf: bool = setting(
        "Vedhæft PDF i e-fakturaen", "Embed the PDF in the e-invoice", FieldType.BOOLEAN, default=False, term="BG-24"
    )
    note: str | None = setting("Fast tekst på alle dokumenter", "Fixed text on all documents", term="BT-22")
    payment_terms: str | None = setting("Betalingsbetingelser", "Payment terms", term="BT-20")
    attachment_budget: int = setting(
        "Største samlede bilag (MB)",
        "Largest attachments together (MB)",
        FieldType.INTEGER,
        default=5,
        smallest=1,
        largest=30,
        term="BG-24",
        help=Text(
            "En større PDF sendes ikke med i e-fakturaen; det står på dokumentet.",
            "A larger PDF is left out of the e-invoice; the document says so.",
        ),
    )
    invoicing_period: str = setting(
        "Faktureringsperiode",
        "Invoicing period",
        FieldType.CHOICE,
        default="none",
        choices=(
            ("none", Text("Ingen", "None")),
            ("month", Text("Fakturadatoens måned", "The month of the invoice date")),
            ("previous-month", Text("Måneden før fakturadatoen", "The month before the invoice date")),
        ),
        term="BG-14",
    )
    delivery_date: str = setting(
        "Leveringsdato",
        "Delivery date",
        FieldType.CHOICE,
        default="none",
        choices=(
            ("none", Text("Ingen, medmindre den kræves", "None, unless it is required")),
            ("issue-date", Text("Fakturadatoen", "The invoice date")),
        ),
        term="BT-72",
    )
    product_number_is_gtin: bool = setting(
        "Varenumre i regnskabet er stregkoder (GTIN/EAN)",
        "Product numbers in the books are bar codes (GTIN/EAN)",
        FieldType.BOOLEAN,
        default=False,
        term="BT-157",
    )
    rounding_limit: Decimal = setting(
        "Største øreafrunding",
        "Largest rounding amount",
        FieldType.DECIMAL,
        default=Decimal("0.50"),
        term="BT-114",
        help=Text(
            "Forskelle mellem linjer og total over grænsen stopper dokumentet.",
            "Differences between lines and total above this stop the document.",
        ),
    )
