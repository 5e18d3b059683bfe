"""What partners want of an INVOIC, as data. Every retailer has a guide of its own; a new one is a new row.

What a user chooses (``OPTIONS``) overrides the row: ``effective`` is the only
place where both meet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.tax import VatCategory

from . import charset

_OWN_CODES = {
    # D.96A has no code for intra-community supply.
    VatCategory.INTRA_COMMUNITY: "E",
}
_CODES_OF_1996 = {
    VatCategory.INTRA_COMMUNITY: "E",
    VatCategory.REVERSE_CHARGE: "E",
    VatCategory.OUTSIDE_SCOPE: "E",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One partner's way, and in the effective one also this user's choices."""

    id: str
    label: Text
    association: str = "EAN008"
    """0057; EANCOM 1997"""
    una: bool = True
    line_ends: str = "none"
    character_set: str = "UNOC"
    application_reference: str = "INVOIC"
    """0026"""
    gtin_code: str = "EN"
    """7143"""
    payable_qualifier: str = "77"
    """5025 of the amount to pay (BT-115)"""
    tax_currency_code: str = "10E"
    """6343 of a currency for VAT (BT-6) in CUX and MOA; GS1's own code, which EANCOM 1997 has too. Empty: none"""
    addresses: bool = True
    """Names and addresses; without, parties are known by GLN alone (master data are aligned)"""
    contacts: bool = True
    vat_qualifier: str = "VA"
    """1153 of a VAT number (BT-31, BT-48)"""
    company_qualifier: str = "XA"
    """1153 of a company number (BT-30, BT-47); empty: not written"""
    invoicee: bool = False
    """NAD+IV in every message"""
    delivery_party: bool = False
    """NAD+DP in every message"""
    header_tax: bool = True
    payment: bool = True
    """PAI, FII and the payment reference"""
    descriptions: bool = True
    """Long item descriptions (BT-154)"""
    line_discounts: str = "alc"
    """``alc``, or ``net``: in the price only"""
    required: frozenset[str] = frozenset()
    """Of ``order``, ``delivery-note``, ``delivery-date``, ``gtin``"""
    vat_categories: Mapping[VatCategory, str] = field(default_factory=lambda: _OWN_CODES)
    """5305 where it is not our own code"""
    delivery_note: str = "given"
    """What DQ holds: ``none``, ``order``, ``invoice``, or ``given`` (BT-16)"""

    test: bool = False
    acknowledgement: bool = False
    sender_gln: str = ""
    receiver_gln: str = ""
    invoicee_gln: str = ""
    recipient_reference: str = ""
    first_reference: int = 1

    def clean(self, text: str | None) -> str:
        """Text in the partner's character set."""
        return charset.clean(text, self.character_set)

    def keeps(self, text: str | None) -> bool:
        """Whether the partner's character set carries the text as it is."""
        return charset.keeps(text, self.character_set)

    def loses_letters(self, text: str | None) -> bool:
        """Whether letters of the text have no likeness in the partner's character set."""
        return charset.loses_letters(text, self.character_set)

    def pieces(self, text: str | None, width: int, most: int) -> list[str]:
        """Text in the partner's character set, cut into pieces."""
        return charset.pieces(self.clean(text), width, most)

    def vat_category(self, category: VatCategory) -> str:
        """5305 of a category."""
        return self.vat_categories.get(category, category.value)


PROFILES = {
    row.id: row
    for row in (
        Profile("eancom", Text("EANCOM 1997 (almindelig)", "EANCOM 1997 (common)")),
        Profile(
            "eancom-gln",
            Text("EANCOM 1997, parter kun med GLN", "EANCOM 1997, parties by GLN only"),
            addresses=False, contacts=False, invoicee=True, delivery_party=True,
        ),
        Profile(
            "dk-retail",
            Text("Dansk dagligvarehandel (STRUFAKT)", "Danish grocery trade (STRUFAKT)"),
            # STRUFAKT: item numbers are EU, prices are net, order and delivery note are named.
            gtin_code="EU", line_discounts="net", contacts=False, payment=False, descriptions=False,
            invoicee=True, delivery_party=True,
            required=frozenset({"order", "delivery-note", "delivery-date", "gtin"}),
        ),
        Profile(
            "generic-un",
            Text("UN/EDIFACT D.96A uden EANCOM", "UN/EDIFACT D.96A without EANCOM"),
            association="", application_reference="", payable_qualifier="9", tax_currency_code="",
            vat_categories=_CODES_OF_1996,
        ),
    )
}  # fmt: skip
DEFAULT = "eancom"


def _choices(*pairs: tuple[str, str, str]) -> tuple[tuple[str, Text], ...]:
    return tuple((value, Text(da, en)) for value, da, en in pairs)


def _gln(name: str, da: str, en: str, help_da: str, help_en: str) -> Field:
    return Field(name, Text(da, en), pattern=r"\d{13}", help=Text(f"13 cifre. {help_da}", f"13 digits. {help_en}"))


_AS_PROFILE = Text("Tom: som partnerprofilen siger.", "Empty: as the partner profile says.")

OPTIONS = (
    Field(
        "profile", Text("Partnerprofil", "Partner profile"), FieldType.CHOICE, default=DEFAULT,
        choices=tuple((row.id, row.label) for row in PROFILES.values()),
        help=Text(
            "Hvordan modtageren vil have sine fakturaer. Spørg modtageren om en EDI-vejledning, hvis I er i tvivl.",
            "How the receiver wants its invoices. Ask the receiver for its EDI guide if in doubt.",
        ),
    ),
    Field(
        "testFlag", Text("Mærk som test", "Mark as test"), FieldType.BOOLEAN, default=False,
        help=Text(
            "Modtageren bogfører ikke fakturaer, der er mærket som test.",
            "The receiver does not book invoices that are marked as tests.",
        ),
    ),
    _gln(
        "senderGln", "Afsenderens GLN i konvolutten", "Sender's GLN on the envelope",
        "Tom: virksomhedens eget GLN.", "Empty: the company's own GLN.",
    ),
    _gln(
        "receiverGln", "Modtagerens GLN i konvolutten", "Receiver's GLN on the envelope",
        "Tom: kundens GLN.", "Empty: the customer's GLN.",
    ),
    _gln(
        "invoiceeGln", "Fakturamodtagerens GLN", "Invoicee's GLN",
        "Skriv det, hvis fakturaen skal stiles til en anden enhed end køberen.",
        "Enter it where the invoice goes to another unit than the buyer.",
    ),
    Field(
        "deliveryNote", Text("Følgeseddelnummer", "Delivery note number"), FieldType.CHOICE, term="BT-16",
        choices=_choices(
            ("given", "Det, der står på fakturaen", "The one on the invoice"),
            ("order", "Ordrenummeret", "The order number"),
            ("invoice", "Fakturanummeret", "The invoice number"),
            ("none", "Intet", "None"),
        ),
        help=_AS_PROFILE,
    ),
    Field(
        "gtinCode", Text("Kode for varenumre (GTIN)", "Code of item numbers (GTIN)"), FieldType.CHOICE,
        choices=_choices(("EN", "EN", "EN"), ("EU", "EU", "EU"), ("SRV", "SRV", "SRV")), help=_AS_PROFILE, term="BT-157",
    ),
    Field(
        "payableQualifier", Text("Kode for beløbet at betale", "Code of the amount to pay"), FieldType.CHOICE,
        choices=_choices(
            ("77", "77 fakturabeløb", "77 invoice amount"),
            ("9", "9 beløb at betale", "9 amount due"),
            ("86", "86 meddelelsens beløb", "86 message total"),
        ),
        help=_AS_PROFILE, term="BT-115",
    ),
    Field(
        "characterSet", Text("Tegnsæt", "Character set"), FieldType.CHOICE,
        choices=_choices(
            ("UNOC", "UNOC (ISO 8859-1)", "UNOC (ISO 8859-1)"),
            ("UNOB", "UNOB (uden æ, ø og å)", "UNOB (without æ, ø and å)"),
            ("UNOA", "UNOA (kun store bogstaver)", "UNOA (capitals only)"),
        ),
        help=_AS_PROFILE,
    ),
    Field(
        "lineEnds", Text("Linjeskift efter hvert segment", "Line end after each segment"), FieldType.CHOICE,
        choices=_choices(("none", "Ingen", "None"), ("lf", "LF", "LF"), ("crlf", "CR LF", "CR LF")), help=_AS_PROFILE,
    ),
    Field(
        "acknowledgementRequest", Text("Bed om kvittering (CONTRL)", "Ask for an acknowledgement (CONTRL)"),
        FieldType.BOOLEAN, default=False,
    ),
    Field(
        "recipientReference", Text("Modtagerens reference eller kodeord", "Recipient's reference or password"),
        pattern=r"[ -~]{1,14}",
        help=Text(
            "Højst 14 tegn, uden æ, ø og å; de sendes præcis som skrevet. Kun hvis modtageren har givet jer et.",
            "At most 14 plain characters, sent exactly as written. Only where the receiver gave you one.",
        ),
    ),
    Field(
        "firstControlReference", Text("Første kontrolnummer", "First control number"), FieldType.INTEGER,
        smallest=1, largest=999_999_999, default=1,
        help=Text(
            "Kun hvis I før har sendt fra et andet system: et nummer højere end det sidste. Vælg det før den første fil, og"
            " sæt det aldrig ned: så bruges gamle numre igen, og modtageren kan kassere fakturaerne som dubletter.",
            "Only if you sent from another system before: a number above its last one. Choose it before the first file, and"
            " never lower it: old numbers are then used again, and the receiver may discard the invoices as duplicates.",
        ),
    ),
)  # fmt: skip

_OVERRIDES = {
    "testFlag": "test",
    "senderGln": "sender_gln",
    "receiverGln": "receiver_gln",
    "invoiceeGln": "invoicee_gln",
    "deliveryNote": "delivery_note",
    "gtinCode": "gtin_code",
    "payableQualifier": "payable_qualifier",
    "characterSet": "character_set",
    "lineEnds": "line_ends",
    "acknowledgementRequest": "acknowledgement",
    "recipientReference": "recipient_reference",
    "firstControlReference": "first_reference",
}


def effective(options: Mapping[str, Any]) -> Profile:
    """The partner profile with the user's choices; an option that is empty leaves the row as it is."""
    row = PROFILES[options.get("profile") or DEFAULT]
    chosen = {name: options.get(option) for option, name in _OVERRIDES.items()}
    return dataclasses.replace(row, **{name: value for name, value in chosen.items() if value not in (None, "")})
