"""The EN 16931 semantic model of an invoice or credit note, as immutable values.

Docstrings name the business terms (BT) and groups (BG). Amounts are
``Decimal`` in ``Invoice.currency``; percentages are numbers (25 means 25 %).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from .identifiers import Participant
from .money import ZERO
from .parties import Address, Party, Payee
from .tax import VatBreakdown, VatClass


class DocumentType(StrEnum):
    """Invoice or credit note, named as accounting systems name them."""

    INVOICE = "invoice"
    CREDIT_NOTE = "creditNote"

    @property
    def code(self) -> str:
        """UNCL 1001 (BT-3)."""
        return "380" if self is DocumentType.INVOICE else "381"


@dataclass(frozen=True, slots=True)
class DocumentReference:
    """A document that this one refers to (BG-3)."""

    number: str
    """BT-25"""
    issue_date: date | None = None
    """BT-26"""


@dataclass(frozen=True, slots=True)
class Period:
    """Invoicing period (BG-14, BG-26)."""

    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class AllowanceCharge:
    """Allowance or charge on the document (BG-20, BG-21) or a line (BG-27, BG-28)."""

    is_charge: bool
    amount: Decimal
    """BT-92, BT-99, BT-136, BT-141; never negative"""
    reason: str
    """BT-97, BT-104, BT-139, BT-144"""
    vat: VatClass | None = None
    """On the document only (BT-95, BT-102)"""
    percent: Decimal | None = None
    """BT-94, BT-101; only together with ``base`` (PEPPOL-EN16931-R041)"""
    base: Decimal | None = None
    """BT-93, BT-100"""
    reason_code: str | None = None
    """UNCL 5189 for allowances, UNCL 7161 for charges (BT-98, BT-105, BT-140, BT-145)"""

    @property
    def signed(self) -> Decimal:
        """What it adds to the net amount."""
        return self.amount if self.is_charge else -self.amount


@dataclass(frozen=True, slots=True)
class Classification:
    """What kind of thing an item is, by a public list (BT-158)."""

    code: str
    list_id: str
    """UNCL 7143; ``TST`` is UNSPSC"""
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """What was sold (BG-31)."""

    name: str
    """BT-153"""
    description: str | None = None
    """BT-154"""
    sellers_id: str | None = None
    """BT-155"""
    standard_id: str | None = None
    """GTIN (BT-157)"""
    buyers_id: str | None = None
    """BT-156"""
    classifications: tuple[Classification, ...] = ()
    """BT-158"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line (BG-25)."""

    id: str
    """BT-126"""
    quantity: Decimal
    """BT-129; may be negative"""
    unit: str
    """UN/ECE Recommendation 20 (BT-130)"""
    net_amount: Decimal
    """BT-131, after line allowances and charges"""
    price: Decimal
    """Net price of ``base_quantity`` units (BT-146); never negative (BR-27)"""
    vat: VatClass
    """BG-30"""
    item: Item
    note: str | None = None
    """BT-127"""
    order_line: str | None = None
    """BT-132"""
    accounting_cost: str | None = None
    """BT-133"""
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    """BG-27, BG-28"""
    period: Period | None = None
    """BG-26"""
    base_quantity: Decimal = Decimal(1)
    """BT-149; above zero (PEPPOL-EN16931-R121), in ``unit``"""


class PaymentMeansCode(StrEnum):
    """UNCL 4461 as far as Danish invoices use it (BT-81, DK-R-005)."""

    UNDEFINED = "1"
    CREDIT_TRANSFER = "30"
    DEBIT_TRANSFER = "31"
    BANK_ACCOUNT = "42"
    CARD = "48"
    DIRECT_DEBIT = "49"
    GIRO = "50"
    SEPA = "58"
    SEPA_DIRECT_DEBIT = "59"
    FIK = "93"
    NEMKONTO = "97"


@dataclass(frozen=True, slots=True)
class PaymentMeans:
    """How to pay (BG-16)."""

    code: PaymentMeansCode
    payment_id: str | None = None
    """Remittance information (BT-83); FIK and giro write kind and reference: ``71#`` and 15 digits, ``73#``,
    ``75#`` and 16 digits, ``01#``, ``04#`` and 16 digits, ``15#`` and 16 digits"""
    account: str | None = None
    """Account number, IBAN, FIK creditor or giro account (BT-84)"""
    branch: str | None = None
    """Danish registration number, 4 digits, or BIC (BT-86)"""
    account_name: str | None = None
    """BT-85"""
    card_number: str | None = None
    """Last digits of the card that has paid (BT-87); never the whole number"""
    card_network: str | None = None
    """``VISA``, ``DK`` …"""
    mandate: str | None = None
    """The payer's agreement to direct debit (BT-89)"""
    payer_account: str | None = None
    """The account that is debited (BT-91)"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """When and where it was delivered (BG-13)."""

    date: date | None = None
    """BT-72"""
    address: Address | None = None
    """BG-15"""
    name: str | None = None
    """Who receives the goods (BT-70)"""
    location: Participant | None = None
    """Where, by number; mostly a GLN (BT-71)"""


@dataclass(frozen=True, slots=True)
class VatInTaxCurrency:
    """VAT in the accounting currency where the invoice is in another one (BT-6, BT-111)."""

    currency: str
    amount: Decimal
    rate: Decimal
    """Units of the accounting currency for one unit of the invoice currency"""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document that supports the invoice (BG-24)."""

    id: str
    """BT-122"""
    filename: str
    media_type: str
    content: bytes
    description: str | None = None
    """BT-123"""


@dataclass(frozen=True, slots=True)
class Totals:
    """Document totals (BG-22)."""

    lines: Decimal
    """BT-106"""
    allowances: Decimal
    """BT-107"""
    charges: Decimal
    """BT-108"""
    net: Decimal
    """BT-109"""
    vat: Decimal
    """BT-110"""
    gross: Decimal
    """BT-112"""
    prepaid: Decimal
    """BT-113"""
    rounding: Decimal
    """BT-114"""
    payable: Decimal
    """BT-115"""


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice or credit note that is ready to be written in any format."""

    source_id: str
    """The record's id in the accounting system; stable, from which OIOUBL's UUID derives"""
    type: DocumentType
    """BT-3"""
    number: str
    """BT-1"""
    issue_date: date
    """BT-2"""
    currency: str
    """ISO 4217 (BT-5)"""
    seller: Party
    """BG-4"""
    buyer: Party
    """BG-7"""
    lines: tuple[Line, ...]
    """BG-25"""
    vat: tuple[VatBreakdown, ...]
    """BG-23"""
    totals: Totals
    """BG-22"""
    due_date: date | None = None
    """BT-9"""
    note: str | None = None
    """BT-22; one note, because Peppol takes no more (PEPPOL-EN16931-R002)"""
    buyer_reference: str | None = None
    """BT-10"""
    order_reference: str | None = None
    """BT-13"""
    sales_order_reference: str | None = None
    """BT-14"""
    despatch_reference: str | None = None
    """Delivery note (BT-16)"""
    contract_reference: str | None = None
    """BT-12"""
    project_reference: str | None = None
    """BT-11"""
    accounting_cost: str | None = None
    """BT-19"""
    period: Period | None = None
    """BG-14"""
    preceding: tuple[DocumentReference, ...] = ()
    """BG-3"""
    payee: Payee | None = None
    """BG-10; only where it is not the seller (factoring)"""
    delivery: Delivery | None = None
    """BG-13"""
    payment: tuple[PaymentMeans, ...] = ()
    """BG-16"""
    payment_terms: str | None = None
    """BT-20"""
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    """BG-20, BG-21"""
    vat_in_tax_currency: VatInTaxCurrency | None = None
    attachments: tuple[Attachment, ...] = ()
    """BG-24"""

    @property
    def is_credit_note(self) -> bool:
        """Whether amounts flow back to the buyer."""
        return self.type is DocumentType.CREDIT_NOTE

    @property
    def has_rounding(self) -> bool:
        """Whether BT-114 is to be written; zero is left out (F-INV338)."""
        return self.totals.rounding != ZERO
