"""VAT class of a line: Billy states a rate, never a category."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from invoiceapp.domain.findings import Finding, Turn, fatal, warning
from invoiceapp.domain.money import HUNDRED, ZERO, multiply, to_decimal
from invoiceapp.domain.settings import VatChoice
from invoiceapp.domain.tax import DEFAULT_EXEMPTION, VatCategory, VatClass
from invoiceapp.domain.vat_guess import guess
from invoiceapp.sources.base import VatUse

from .parties import country_of, has_vat
from .texts import clean

#: BR-S-10 and BR-Z-10 forbid a reason, whatever was written before the category was chosen.
_WITHOUT_EXEMPTION = (VatCategory.STANDARD, VatCategory.ZERO_RATED)


def classify(category: VatCategory, rate: Decimal, choice: VatChoice | None = None) -> VatClass:
    """The class with percentage and exemption; a rate of 0.25 is 25 %."""
    percent = multiply(rate, HUNDRED)
    if category in _WITHOUT_EXEMPTION:
        return VatClass(category, percent)
    default_code, default_reason = DEFAULT_EXEMPTION.get(category, (None, None))
    if choice is None or not (choice.exemption_code or choice.exemption_reason):
        return VatClass(category, percent, default_reason, default_code)
    return VatClass(category, percent, choice.exemption_reason, choice.exemption_code)


def vat_use(bundle: Mapping[str, Any]) -> VatUse:
    """See ``Source.vat_use``; a bundle that cannot be read used nothing."""
    invoice, contact, organization = (bundle.get(name) for name in ("invoice", "contact", "organization"))
    lines = invoice.get("lines") if isinstance(invoice, Mapping) else None
    if not (isinstance(lines, list) and isinstance(contact, Mapping) and isinstance(organization, Mapping)):
        return VatUse()
    rates = frozenset(str(line["taxRateId"]) for line in lines if isinstance(line, Mapping) and line.get("taxRateId"))
    return VatUse(rates, country_of(contact), has_vat(organization))


class VatMapper:
    """VAT classes for the lines of one document, and what was wrong with them."""

    def __init__(
        self,
        tax_rates: Mapping[str, Mapping[str, Any]],
        choices: Mapping[str, VatChoice],
        buyer_country: str | None,
        seller_has_vat: bool,
    ) -> None:
        self._rates = tax_rates
        self._choices = choices
        self._country = buyer_country
        self._seller_has_vat = seller_has_vat
        self._known: dict[str, VatClass] = {}
        self.findings: list[Finding] = []

    def of(self, rate_id: object) -> VatClass:
        """The class of a line's tax rate; a placeholder and a fatal finding where it cannot be known."""
        key = str(rate_id)
        if key not in self._known:
            self._known[key] = self._decide(key)
        return self._known[key]

    def _decide(self, rate_id: str) -> VatClass:
        record = self._rates.get(rate_id)
        rate = to_decimal(record.get("rate")) if record else None
        if record is None or rate is None or rate < ZERO or rate > 1:
            self.findings.append(_unknown_rate(rate_id))
            return VatClass(VatCategory.STANDARD, ZERO)
        name = clean(record.get("name")) or ""
        choice = self._choices.get(rate_id)
        if choice is not None:
            return classify(choice.category, rate, choice)
        category = guess(rate, name, self._country, self._seller_has_vat)
        if category is None:
            self.findings.append(_unmapped_rate(rate_id, name))
            return VatClass(VatCategory.EXEMPT, ZERO, "?")
        if category is VatCategory.EXPORT or category is VatCategory.EXEMPT:
            self.findings.append(_guessed(rate_id, name, category))
        return classify(category, rate)


def _unknown_rate(rate_id: str) -> Finding:
    return fatal(
        "BILLY-TAX-RATE",
        "En linje bruger en momssats, som vi ikke kan finde i Billy. Åbn fakturaens linjer i Billy, og vælg momssatsen igen.",
        "A line uses a tax rate that we cannot find in Billy. Open the invoice's lines in Billy and choose the tax rate again.",
        turn=Turn.SOURCE,
        term="BT-151",
        fix="source.invoice",
        location=f"taxRateId {rate_id}",
    )


def _unmapped_rate(rate_id: str, name: str) -> Finding:
    return fatal(
        "IA-VAT-UNMAPPED",
        f"Momssatsen »{name}« er 0 %, og kunden er i EU: Vælg, om den er varesalg (K) eller ydelser (AE).",
        f"The tax rate “{name}” is 0 % and the customer is in the EU: choose whether it is goods (K) or services (AE).",
        turn=Turn.HERE,
        term="BT-151",
        fix=f"vat.{rate_id}",
    )


def _guessed(rate_id: str, name: str, category: VatCategory) -> Finding:
    da, en = (
        ("eksport uden for EU (G)", "export outside the EU (G)")
        if category is VatCategory.EXPORT
        else ("momsfritaget (E)", "exempt from VAT (E)")
    )
    return warning(
        "IA-VAT-GUESSED",
        f"Momssatsen »{name}« er ikke tilknyttet en momskategori; vi har brugt {da}. Bekræft valget.",
        f"The tax rate “{name}” has no VAT category; we used {en}. Confirm the choice.",
        turn=Turn.HERE,
        term="BT-151",
        fix=f"vat.{rate_id}",
    )
