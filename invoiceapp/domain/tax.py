"""VAT categories (UNCL 5305 as EN 16931 uses it) and the breakdown per category."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class VatCategory(StrEnum):
    """VAT category code (BT-95, BT-102, BT-118, BT-151)."""

    STANDARD = "S"
    ZERO_RATED = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    INTRA_COMMUNITY = "K"
    EXPORT = "G"
    OUTSIDE_SCOPE = "O"


#: Exemption code and text where the user gave none (PEPPOL-EN16931-P0104…P0107).
#: Z has none, because BR-Z-10 forbids a reason; E differs from trade to trade.
DEFAULT_EXEMPTION = {
    VatCategory.EXEMPT: (None, "Momsfritaget"),
    VatCategory.REVERSE_CHARGE: ("VATEX-EU-AE", "Omvendt betalingspligt (reverse charge)"),
    VatCategory.INTRA_COMMUNITY: ("VATEX-EU-IC", "EU-salg uden moms (intra-community supply)"),
    VatCategory.EXPORT: ("VATEX-EU-G", "Eksport uden for EU (export)"),
    VatCategory.OUTSIDE_SCOPE: ("VATEX-EU-O", "Ikke momspligtigt (not subject to VAT)"),
}


@dataclass(frozen=True, slots=True)
class VatClass:
    """Category and percentage of a line or of a document allowance or charge; 25 means 25 %."""

    category: VatCategory
    percent: Decimal
    exemption_reason: str | None = None
    exemption_code: str | None = None

    @property
    def key(self) -> tuple[str, Decimal]:
        """What the breakdown groups by (BR-CO-18)."""
        return (self.category.value, self.percent)


@dataclass(frozen=True, slots=True)
class VatBreakdown:
    """VAT of one category and rate (BG-23)."""

    vat: VatClass
    taxable_amount: Decimal
    """BT-116"""
    tax_amount: Decimal
    """BT-117"""
