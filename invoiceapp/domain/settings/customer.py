"""Overrides of what the accounting system says of one buyer."""

from __future__ import annotations

from dataclasses import dataclass

from invoiceapp.domain.fields import FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant

from .declaring import setting


@dataclass(frozen=True, slots=True)
class CustomerSettings:
    """Overrides of what the accounting system says of one buyer."""

    endpoint: Participant | None = setting(
        "Elektronisk adresse (EAN/GLN eller CVR)",
        "Electronic address (EAN/GLN or CVR)",
        FieldType.PARTICIPANT,
        term="BT-49",
        is_individual=True,
    )
    buyer_reference: str | None = setting("Personreference", "Buyer reference", term="BT-10")
    order_number_policy: str = setting(
        "Kundens ordrenummer",
        "The customer's order number",
        FieldType.CHOICE,
        default="optional",
        choices=(
            ("optional", Text("Kommer med, når det findes", "Goes along where there is one")),
            ("required", Text("Kræves: uden ordrenummer sendes intet", "Required: nothing is sent without one")),
            ("not-applicable", Text("Skriv »NA«, når det mangler", "Write “NA” where there is none")),
        ),
        term="BT-13",
    )
    order_number_pattern: str | None = setting(
        "Find ordrenummeret i fakturaens tekst",
        "Find the order number in the invoice's text",
        FieldType.NUMBER_PATTERN,
        term="BT-13",
        help=Text(
            "F.eks. 4500######: # er et ciffer, @ et bogstav, ? et ciffer eller bogstav. Med »PO: [######]« tages kun det, "
            "der står i klammerne.",
            "For example 4500######: # is a digit, @ a letter, ? a digit or a letter. With “PO: [######]” only what stands in "
            "the brackets is taken.",
        ),
    )
    order_number: str | None = setting(
        "Ordrenummer, når fakturaen ikke har et", "Order number where the invoice has none", term="BT-13"
    )
    accounting_cost: str | None = setting("Kontostreng", "Accounting cost", term="BT-19")
    contract_reference: str | None = setting("Kontraktnummer", "Contract number", term="BT-12")
    project_reference: str | None = setting("Projektnummer", "Project number", term="BT-11")
    unspsc: str | None = setting(
        "UNSPSC-kode på alle linjer",
        "UNSPSC code on all lines",
        term="BT-158",
        pattern=r"\d{8}",
        help=Text("Otte cifre.", "Eight digits."),
    )
    name: str | None = setting(
        "Navn",
        "Name",
        term="BT-44",
        is_individual=True,
    )
    street: str | None = setting(
        "Gade og nummer",
        "Street and number",
        term="BT-50",
        is_individual=True,
    )
    postal_code: str | None = setting(
        "Postnummer",
        "Postal code",
        term="BT-53",
        is_individual=True,
    )
    city: str | None = setting(
        "By",
        "City",
        term="BT-52",
        is_individual=True,
    )
    country: str | None = setting(
        "Land",
        "Country",
        term="BT-55",
        pattern=r"[A-Z]{2}",
        help=Text("To bogstaver, f.eks. DK.", "Two letters, for example DK."),
        is_individual=True,
    )
    vat_number: str | None = setting(
        "Momsnummer",
        "VAT number",
        term="BT-48",
        pattern=r"[A-Z]{2}[A-Za-z0-9]{2,13}",
        is_individual=True,
    )
    contact_name: str | None = setting(
        "Kontaktperson",
        "Contact person",
        term="BT-56",
        is_individual=True,
    )
    email: str | None = setting(
        "E-mail",
        "E-mail",
        FieldType.EMAIL,
        term="BT-58",
        is_individual=True,
    )
    gln: str | None = setting(
        "Kundens EAN/GLN-nummer, når adressen er en anden",
        "The customer's EAN/GLN number, where the address is another",
        FieldType.GLN,
        term="BT-46",
        help=Text("13 cifre.", "13 digits."),
        is_individual=True,
    )
    delivery_name: str | None = setting(
        "Leveres til: navn",
        "Delivered to: name",
        term="BT-70",
        is_individual=True,
    )
    delivery_gln: str | None = setting(
        "Leveres til: EAN/GLN-nummer",
        "Delivered to: EAN/GLN number",
        FieldType.GLN,
        term="BT-71",
        help=Text("13 cifre.", "13 digits."),
        is_individual=True,
    )
    delivery_street: str | None = setting(
        "Leveres til: gade",
        "Delivered to: street",
        term="BT-75",
        is_individual=True,
    )
    delivery_postal_code: str | None = setting(
        "Leveres til: postnummer",
        "Delivered to: postal code",
        term="BT-78",
        is_individual=True,
    )
    delivery_city: str | None = setting(
        "Leveres til: by",
        "Delivered to: city",
        term="BT-77",
        is_individual=True,
    )
    delivery_country: str | None = setting(
        "Leveres til: land",
        "Delivered to: country",
        term="BT-80",
        pattern=r"[A-Z]{2}",
        help=Text("To bogstaver, f.eks. DK.", "Two letters, for example DK."),
        is_individual=True,
    )
    mandate: str | None = setting(
        "Betalingsaftale (Betalingsservice eller SEPA)",
        "Direct-debit agreement",
        term="BT-89",
        is_individual=True,
    )
    payer_account: str | None = setting(
        "Kontoen, der trækkes fra",
        "The account that is debited",
        term="BT-91",
        is_individual=True,
    )
    card_number: str | None = setting(
        "Kortets sidste cifre",
        "Last digits of the card",
        term="BT-87",
        pattern=r"\d{4,6}",
        help=Text("Fire til seks cifre; aldrig hele kortnummeret.", "Four to six digits; never the whole number."),
        is_individual=True,
    )
    card_network: str | None = setting(
        "Korttype",
        "Card network",
        is_individual=True,
    )
