"""How a customer's documents are handed over, where that is not what the gateway does for everybody."""

from __future__ import annotations

from dataclasses import dataclass

from invoiceapp.domain.fields import FieldType
from invoiceapp.domain.findings import Text

from .declaring import setting


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Overrides of what the gateway says."""

    file_name: str | None = setting(
        "Filnavn",
        "File name",
        FieldType.FILE_NAME,
        help=Text(
            "F.eks. {type}-{number}. Kan bruge {type}, {number}, {date}, {customer}, {customer-number}, {order} og {key8}; "
            "{number} skal være med, og endelsen sættes på af sig selv.",
            "For example {type}-{number}. May use {type}, {number}, {date}, {customer}, {customer-number}, {order} and {key8}; "
            "{number} must be there, and the extension is added by itself.",
        ),
    )
    receiver_email: str | None = setting(
        "Modtagerens e-mail til fakturaer",
        "The receiver's e-mail address for invoices",
        FieldType.EMAIL,
        is_individual=True,
        help=Text(
            "Bruges af e-mail-gateways i stedet for kundens adresse i regnskabet.",
            "Used by e-mail gateways instead of the customer's address in the books.",
        ),
    )
