"""What a user may set for the supplier, the customers and the documents.

The dataclasses below hold *effective* values (after overrides are resolved);
their declared fields (``fields_of``) make the forms. An empty value means "what
the source says".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .fields import Field, FieldInvalid, FieldType, parse
from .findings import Text
from .identifiers import Participant
from .tax import VatCategory


def _setting(da: str, en: str, type: FieldType = FieldType.TEXT, *, default: Any = None, **declared: Any) -> Any:
    """A dataclass field that carries its declaration; the name is filled in by ``fields_of``."""
    declaration = Field("", Text(da, en), type, default=default, **declared)
    return field(default=default, metadata={"declaration": declaration})


@dataclass(frozen=True, slots=True)
class GeneralSettings:
    """Settings that hold for whole documents."""

    embed_pdf: bool = _setting(
        "Vedhæft PDF i e-fakturaen", "Embed the PDF in the e-invoice", FieldType.BOOLEAN, default=False, term="BG-24"
    )
    note: str | None = _setting("Fast tekst på alle dokumenter", "Fixed text on all documents", term="BT-22")
    payment_terms: str | None = _setting("Betalingsbetingelser", "Payment terms", term="BT-20")
    attachment_budget: int = _setting(
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
    invoicing_period: str = _setting(
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
    delivery_date: str = _setting(
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
    product_number_is_gtin: bool = _setting(
        "Varenumre i regnskabet er stregkoder (GTIN/EAN)",
        "Product numbers in the books are bar codes (GTIN/EAN)",
        FieldType.BOOLEAN,
        default=False,
        term="BT-157",
    )
    rounding_limit: Decimal = _setting(
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


@dataclass(frozen=True, slots=True)
class SupplierSettings:
    """Overrides of what the accounting system says of the seller."""

    endpoint: Participant | None = _setting(
        "Elektronisk adresse", "Electronic address", FieldType.PARTICIPANT, term="BT-34"
    )
    name: str | None = _setting("Navn", "Name", term="BT-27")
    street: str | None = _setting("Gade og nummer", "Street and number", term="BT-35")
    postal_code: str | None = _setting("Postnummer", "Postal code", term="BT-38")
    city: str | None = _setting("By", "City", term="BT-37")
    vat_number: str | None = _setting("Momsnummer", "VAT number", term="BT-31", pattern=r"[A-Z]{2}[A-Za-z0-9]{2,13}")
    contact_name: str | None = _setting("Kontaktperson", "Contact person", term="BT-41")
    phone: str | None = _setting("Telefon", "Telephone", term="BT-42")
    email: str | None = _setting("E-mail", "E-mail", FieldType.EMAIL, term="BT-43")
    gln: str | None = _setting(
        "Virksomhedens eget EAN/GLN-nummer",
        "The company's own EAN/GLN number",
        FieldType.GLN,
        term="BT-29",
        help=Text("13 cifre; kræves af EDIFACT.", "13 digits; EDIFACT demands it."),
    )
    legal_form: str | None = _setting("Selskabsoplysninger", "Company form and capital", term="BT-33")
    payment_method: str = _setting(
        "Betalingsmåde",
        "Way to pay",
        FieldType.CHOICE,
        default="auto",
        choices=(
            ("auto", Text("Den der passer bedst til kunden", "What suits the customer best")),
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
    bank_registration: str | None = _setting(
        "Registreringsnummer",
        "Bank registration number",
        term="BT-86",
        pattern=r"\d{4}",
        help=Text("Fire cifre.", "Four digits."),
    )
    bank_account: str | None = _setting(
        "Kontonummer",
        "Account number",
        term="BT-84",
        pattern=r"\d{1,10}",
        help=Text("Højst ti cifre.", "At most ten digits."),
    )
    iban: str | None = _setting("IBAN", "IBAN", FieldType.IBAN, term="BT-84")
    bic: str | None = _setting(
        "BIC/SWIFT",
        "BIC/SWIFT",
        term="BT-86",
        pattern=r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?",
        help=Text("8 eller 11 store bogstaver og cifre.", "8 or 11 capital letters and digits."),
    )
    fik_creditor: str | None = _setting(
        "FIK-kreditornummer",
        "FIK creditor number",
        term="BT-84",
        pattern=r"\d{8}",
        help=Text(
            "Otte cifre fra banken. Uden anden betalingsmåde giver det FIK 71 til danske kunder.",
            "Eight digits from the bank. Without another way to pay it gives FIK 71 to Danish customers.",
        ),
    )
    giro_account: str | None = _setting(
        "Girokonto",
        "Giro account",
        term="BT-84",
        pattern=r"\d{7,8}",
        help=Text("Syv eller otte cifre.", "Seven or eight digits."),
    )
    payee_name: str | None = _setting(
        "Betalingsmodtager, når det ikke er jer (factoring)", "Payee, where it is not you (factoring)", term="BT-59"
    )
    payee_cvr: str | None = _setting(
        "Betalingsmodtagerens CVR-nummer",
        "The payee's CVR number",
        term="BT-61",
        pattern=r"\d{8}",
        help=Text("Otte cifre.", "Eight digits."),
    )


@dataclass(frozen=True, slots=True)
class CustomerSettings:
    """Overrides of what the accounting system says of one buyer."""

    endpoint: Participant | None = _setting(
        "Elektronisk adresse (EAN/GLN eller CVR)",
        "Electronic address (EAN/GLN or CVR)",
        FieldType.PARTICIPANT,
        term="BT-49",
    )
    buyer_reference: str | None = _setting("Personreference", "Buyer reference", term="BT-10")
    order_number: str | None = _setting(
        "Ordrenummer, når fakturaen ikke har et", "Order number where the invoice has none", term="BT-13"
    )
    accounting_cost: str | None = _setting("Kontostreng", "Accounting cost", term="BT-19")
    contract_reference: str | None = _setting("Kontraktnummer", "Contract number", term="BT-12")
    project_reference: str | None = _setting("Projektnummer", "Project number", term="BT-11")
    unspsc: str | None = _setting(
        "UNSPSC-kode på alle linjer",
        "UNSPSC code on all lines",
        term="BT-158",
        pattern=r"\d{8}",
        help=Text("Otte cifre.", "Eight digits."),
    )
    name: str | None = _setting("Navn", "Name", term="BT-44")
    street: str | None = _setting("Gade og nummer", "Street and number", term="BT-50")
    postal_code: str | None = _setting("Postnummer", "Postal code", term="BT-53")
    city: str | None = _setting("By", "City", term="BT-52")
    country: str | None = _setting(
        "Land",
        "Country",
        term="BT-55",
        pattern=r"[A-Z]{2}",
        help=Text("To bogstaver, f.eks. DK.", "Two letters, for example DK."),
    )
    vat_number: str | None = _setting("Momsnummer", "VAT number", term="BT-48", pattern=r"[A-Z]{2}[A-Za-z0-9]{2,13}")
    contact_name: str | None = _setting("Kontaktperson", "Contact person", term="BT-56")
    email: str | None = _setting("E-mail", "E-mail", FieldType.EMAIL, term="BT-58")
    gln: str | None = _setting(
        "Kundens EAN/GLN-nummer, når adressen er en anden",
        "The customer's EAN/GLN number, where the address is another",
        FieldType.GLN,
        term="BT-46",
        help=Text("13 cifre.", "13 digits."),
    )
    delivery_name: str | None = _setting("Leveres til: navn", "Delivered to: name", term="BT-70")
    delivery_gln: str | None = _setting(
        "Leveres til: EAN/GLN-nummer",
        "Delivered to: EAN/GLN number",
        FieldType.GLN,
        term="BT-71",
        help=Text("13 cifre.", "13 digits."),
    )
    delivery_street: str | None = _setting("Leveres til: gade", "Delivered to: street", term="BT-75")
    delivery_postal_code: str | None = _setting("Leveres til: postnummer", "Delivered to: postal code", term="BT-78")
    delivery_city: str | None = _setting("Leveres til: by", "Delivered to: city", term="BT-77")
    delivery_country: str | None = _setting(
        "Leveres til: land",
        "Delivered to: country",
        term="BT-80",
        pattern=r"[A-Z]{2}",
        help=Text("To bogstaver, f.eks. DK.", "Two letters, for example DK."),
    )
    mandate: str | None = _setting(
        "Betalingsaftale (Betalingsservice eller SEPA)", "Direct-debit agreement", term="BT-89"
    )
    payer_account: str | None = _setting("Kontoen der trækkes fra", "The account that is debited", term="BT-91")
    card_number: str | None = _setting(
        "Kortets sidste cifre",
        "Last digits of the card",
        term="BT-87",
        pattern=r"\d{4,6}",
        help=Text("Fire til seks cifre; aldrig hele kortnummeret.", "Four to six digits; never the whole number."),
    )
    card_network: str | None = _setting("Korttype", "Card network", term="BT-87")


@dataclass(frozen=True, slots=True)
class VatChoice:
    """The VAT category that a user gave to one tax rate of the accounting system."""

    category: VatCategory
    exemption_reason: str | None = None
    exemption_code: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All effective settings for one document."""

    general: GeneralSettings = field(default_factory=GeneralSettings)
    supplier: SupplierSettings = field(default_factory=SupplierSettings)
    customer: CustomerSettings = field(default_factory=CustomerSettings)
    vat: Mapping[str, VatChoice] = field(default_factory=dict)
    """By the id of the tax rate"""
    formats: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Options by the id of the output format, as typed; ``formats/base.py`` reads them by what the format declares"""


GROUPS: dict[str, type[GeneralSettings] | type[SupplierSettings] | type[CustomerSettings]] = {
    "general": GeneralSettings,
    "supplier": SupplierSettings,
    "customer": CustomerSettings,
}


def camel(name: str) -> str:
    """``fik_creditor`` -> ``fikCreditor``: files and the database use the JSON spelling."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def fields_of(group: str) -> tuple[Field, ...]:
    """The declared fields of a group, named as they are stored."""
    return tuple(
        dataclasses.replace(item.metadata["declaration"], name=camel(item.name))
        for item in dataclasses.fields(GROUPS[group])
    )


class SettingsInvalid(ValueError):
    """Settings that cannot be used; ``errors`` maps ``group.name`` to the reason."""

    def __init__(self, errors: dict[str, Text]) -> None:
        super().__init__("; ".join(f"{name}: {text.en}" for name, text in errors.items()))
        self.errors = errors


def _value(declared: Field, stored: object) -> Any:
    """A stored JSON value as the dataclass wants it."""
    if stored is None or stored == "":
        return declared.default
    if declared.type is FieldType.BOOLEAN and isinstance(stored, bool):
        return stored
    if declared.type is FieldType.PARTICIPANT:
        if not isinstance(stored, Mapping):
            raise FieldInvalid(Text("Skal have scheme og value.", "Must have scheme and value."))
        return parse(declared, f"{stored.get('scheme', '')}:{stored.get('value', '')}")
    if isinstance(stored, bool) or not isinstance(stored, str | int | Decimal):
        raise FieldInvalid(Text("Forkert type.", "Wrong type."))
    return parse(declared, str(stored))


_EXEMPTION_REASON = Field("exemptionReason", Text("Fritagelsesgrund", "Exemption reason"), term="BT-120")
_EXEMPTION_CODE = Field(
    "exemptionCode",
    Text("Fritagelseskode", "Exemption code"),
    pattern=r"[A-Za-z0-9-]{1,40}",
    help=Text("Ukendt fritagelseskode.", "Unknown exemption code."),
    term="BT-121",
)


def _vat_choice(stored: object) -> VatChoice:
    if not isinstance(stored, Mapping):
        raise FieldInvalid(Text("Skal have en momskategori.", "Must have a VAT category."))
    try:
        category = VatCategory(str(stored.get("category")))
    except ValueError as error:
        raise FieldInvalid(Text("Ukendt momskategori.", "Unknown VAT category.")) from error
    return VatChoice(
        category,
        exemption_reason=_value(_EXEMPTION_REASON, stored.get("exemptionReason")),
        exemption_code=_value(_EXEMPTION_CODE, stored.get("exemptionCode")),
    )


def _format_options(stored: object, errors: dict[str, Text]) -> dict[str, dict[str, str]]:
    """Options by format; numbers and booleans as people type them."""
    if not isinstance(stored, Mapping) or not all(isinstance(options, Mapping) for options in stored.values()):
        errors["formats"] = Text("Skal være objekter efter formatets navn.", "Must be objects by the format's name.")
        return {}
    return {
        str(format_id): {str(name): _typed(value) for name, value in options.items() if value is not None}
        for format_id, options in stored.items()
    }


def _typed(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings_from(data: Mapping[str, Any]) -> Settings:
    """Settings from their JSON form: groups ``general``, ``supplier``, ``customer``, ``vat``, ``formats``.

    Raises ``SettingsInvalid`` naming every value that cannot be used and every
    name that no setting has.
    """
    errors = {
        name: Text("Ukendt indstilling.", "Unknown setting.")
        for name in data
        if name not in (*GROUPS, "vat", "formats")
    }
    groups: dict[str, Any] = {}
    for group, holder in GROUPS.items():
        stored = data.get(group) or {}
        if not isinstance(stored, Mapping):
            errors[group] = Text("Skal være et objekt.", "Must be an object.")
            continue
        declared = {item.name: item for item in fields_of(group)}
        names = {camel(item.name): item.name for item in dataclasses.fields(holder)}
        values = {}
        for name, value in stored.items():
            if name not in declared:
                errors[f"{group}.{name}"] = Text("Ukendt indstilling.", "Unknown setting.")
                continue
            try:
                values[names[name]] = _value(declared[name], value)
            except FieldInvalid as error:
                errors[f"{group}.{name}"] = error.text
        groups[group] = holder(**values)
    vat: dict[str, VatChoice] = {}
    stored_vat = data.get("vat") or {}
    if not isinstance(stored_vat, Mapping):
        errors["vat"] = Text("Skal være et objekt.", "Must be an object.")
        stored_vat = {}
    for rate_id, stored in stored_vat.items():
        try:
            vat[str(rate_id)] = _vat_choice(stored)
        except FieldInvalid as error:
            errors[f"vat.{rate_id}"] = error.text
    options = _format_options(data.get("formats") or {}, errors)
    if errors:
        raise SettingsInvalid(errors)
    return Settings(vat=vat, formats=options, **groups)
