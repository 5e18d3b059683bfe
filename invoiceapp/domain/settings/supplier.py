"""Overrides of what the accounting system says of the seller."""

from __future__ import annotations

from dataclasses import dataclass

from invoiceapp.domain.fields import FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant

from .declaring import setting


@dataclass(frozen=True, slots=True)
class SupplierSettings:
    """Overrides of what the accounting system says of the seller."""

    endpoint: Participant | None = setting(
        "Elektronisk adresse", "Electronic address", FieldType.PARTICIPANT, term="BT-34"
    )
    name: str | None = setting("Navn", "Name", term="BT-27")
    street: str | None = setting("Gade og nummer", "Street and number", term="BT-35")
    postal_code: str | None = setting("Postnummer", "Postal code", term="BT-38")
    city: str | None = setting("By", "City", term="BT-37")
    vat_number: str | None = setting("Momsnummer", "VAT number", term="BT-31", pattern=r"[A-Z]{2}[A-Za-z0-9]{2,13}")
    contact_name: str | None = setting("Kontaktperson", "Contact person", term="BT-41")
    phone: str | None = setting("Telefon", "Telephone", term="BT-42")
    email: str | None = setting("E-mail", "E-mail", FieldType.EMAIL, term="BT-43")
    gln: str | None = setting(
        "Virksomhedens eget EAN/GLN-nummer",
        "The company's own EAN/GLN number",
        FieldType.GLN,
        term="BT-29",
        help=Text("13 cifre; kræves af EDIFACT.", "13 digits; EDIFACT demands it."),
    )
    legal_form: str | None = setting("Selskabsoplysninger", "Company form and capital", term="BT-33")
    payment_method: str = setting(
        "Betalingsmåde",
        "Way to pay",
        FieldType.CHOICE,
        default="auto",
        choices=(
            ("auto", Text("Den, der passer bedst til kunden", "What suits the customer best")),
            ("bank", Text("Dansk konto (42)", "Danish account (42)")),
            ("iban", Text("IBAN (58)", "IBAN (58)")),
            ("fik-71", Text("FIK 71", "FIK 71")),
            ("fik-73", Text("FIK 73", "FIK 73")),
            ("fik-75", Text("FIK 75", "FIK 75")),
            ("giro-01", Text("Giro 01", "Giro 01")),
            ("giro-04", Text("Giro 04", "Giro 04")),
            ("giro-15", Text("Giro 15", "Giro 15")),
            ("direct-debit", Text("Betalingsservice (49)", "Direct debit (49)")),
            ("sepa-direct-debit", Text("SEPA-opkrævning (59)", "SEPA direct debit (59)")),
            ("card", Text("Betalt med kort (48)", "Paid by card (48)")),
            ("nemkonto", Text("NemKonto (97)", "NemKonto (97)")),
            ("none", Text("Ingen (1)", "None (1)")),
        ),
        term="BT-81",
    )
    bank_registration: str | None = setting(
        "Registreringsnummer",
        "Bank registration number",
        term="BT-86",
        pattern=r"\d{4}",
        help=Text("Fire cifre.", "Four digits."),
    )
    bank_account: str | None = setting(
        "Kontonummer",
        "Account number",
        term="BT-84",
        pattern=r"\d{1,10}",
        help=Text("Højst ti cifre.", "At most ten digits."),
    )
    iban: str | None = setting("IBAN", "IBAN", FieldType.IBAN, term="BT-84")
    bic: str | None = setting(
        "BIC/SWIFT",
        "BIC/SWIFT",
        term="BT-86",
        pattern=r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?",
        help=Text("8 eller 11 store bogstaver og cifre.", "8 or 11 capital letters and digits."),
    )
    fik_creditor: str | None = setting(
        "FIK-kreditornummer",
        "FIK creditor number",
        term="BT-84",
        pattern=r"\d{8}",
        help=Text(
            "Otte cifre fra banken. Uden anden betalingsmåde giver det FIK 71 til danske kunder.",
            "Eight digits from the bank. Without another way to pay it gives FIK 71 to Danish customers.",
        ),
    )
    giro_account: str | None = setting(
        "Girokonto",
        "Giro account",
        term="BT-84",
        pattern=r"\d{7,8}",
        help=Text("Syv eller otte cifre.", "Seven or eight digits."),
    )
    payee_name: str | None = setting(
        "Betalingsmodtager, når det ikke er jer (factoring)", "Payee, where it is not you (factoring)", term="BT-59"
    )
    payee_cvr: str | None = setting(
        "Betalingsmodtagerens CVR-nummer",
        "The payee's CVR number",
        term="BT-61",
        pattern=r"\d{8}",
        help=Text("Otte cifre.", "Eight digits."),
    )
