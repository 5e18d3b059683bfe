"""VAT categories of the source's sales tax rates: the accounting system states a rate, the e-invoice needs a category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.domain.money import HUNDRED, ZERO, to_decimal
from invoiceapp.domain.settings import SettingsInvalid, settings_from
from invoiceapp.domain.tax import VatCategory
from invoiceapp.models import Adaptor
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput

from . import rules
from .sources import TAX_RATES


@dataclass(frozen=True, slots=True)
class Category:
    """A VAT category in the words of an accountant."""

    code: VatCategory
    name: Text
    use: Text
    """When to choose it, in one line"""


CATEGORIES = (
    Category(
        VatCategory.STANDARD,
        Text("Almindelig moms", "Standard rate"),
        Text("Salg med dansk moms, normalt 25 %.", "Sales with Danish VAT, normally 25%."),
    ),
    Category(
        VatCategory.ZERO_RATED,
        Text("Nulmoms", "Zero rated"),
        Text("Momspligtigt salg til 0 %, f.eks. aviser.", "Taxable sales at 0%, such as newspapers."),
    ),
    Category(
        VatCategory.EXEMPT,
        Text("Momsfritaget", "Exempt"),
        Text(
            "Fritaget efter momsloven, f.eks. undervisning og sundhed.",
            "Exempt by the VAT act, such as teaching and health.",
        ),
    ),
    Category(
        VatCategory.REVERSE_CHARGE,
        Text("Omvendt betalingspligt", "Reverse charge"),
        Text(
            "Køber afregner momsen, f.eks. ydelser til virksomheder i EU.",
            "The buyer accounts for the VAT, e.g. services to businesses in the EU.",
        ),
    ),
    Category(
        VatCategory.INTRA_COMMUNITY,
        Text("EU-varesalg", "Intra-community supply"),
        Text(
            "Varer til momsregistrerede virksomheder i andre EU-lande.",
            "Goods to VAT-registered businesses in other EU countries.",
        ),
    ),
    Category(
        VatCategory.EXPORT,
        Text("Eksport", "Export"),
        Text("Salg til lande uden for EU.", "Sales to countries outside the EU."),
    ),
    Category(
        VatCategory.OUTSIDE_SCOPE,
        Text("Uden for momsloven", "Not subject to VAT"),
        Text(
            "F.eks. når virksomheden ikke er momsregistreret.",
            "For example where the company is not registered for VAT.",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Rate:
    """A sales tax rate of the source and the category chosen for it, "" where we decide by rate and country."""

    id: str
    name: str
    percent: Decimal | None
    category: str = ""
    reason: str = ""
    code: str = ""


def rates(adaptor: Adaptor) -> list[Rate]:
    """The rates as the source was last read, with the choices made for them."""
    chosen: Mapping[str, Any] = adaptor.settings.get("vat") or {}
    found = []
    for stored in (adaptor.organization or {}).get(TAX_RATES, ()):
        fraction, choice = to_decimal(stored.get("rate")), chosen.get(stored["id"]) or {}
        found.append(
            Rate(
                stored["id"],
                stored.get("name") or stored["id"],
                None if fraction is None else (fraction * HUNDRED).normalize(),
                choice.get("category") or "",
                choice.get("exemptionReason") or "",
                choice.get("exemptionCode") or "",
            )
        )
    return found


def typed(rate: Rate, raw: Mapping[str, str]) -> Rate:
    """The rate with what a person typed: ``<id>.category``, ``<id>.reason``, ``<id>.code``."""
    values = (raw.get(f"{rate.id}.{name}", "").strip() for name in ("category", "reason", "code"))
    return Rate(rate.id, rate.name, rate.percent, *values)


def _mismatch(rate: Rate) -> Text | None:
    """BR-S-05 wants a rate above zero for S, BR-Z-05 … BR-O-05 zero for all others."""
    is_zero = rate.percent == ZERO
    if rate.category == VatCategory.STANDARD and is_zero:
        return Text("Kategori S kræver en sats over 0 %.", "Category S needs a rate above 0%.")
    if rate.category and rate.category != VatCategory.STANDARD and not is_zero:
        return Text("En sats over 0 % skal have kategori S.", "A rate above 0% must have category S.")
    return None


def save(adaptor_id: str, raw: Mapping[str, str]) -> int:
    """Keep the choices; an empty category is none. Blocked documents are converted again; how many.

    Raises ``InvalidInput``, its errors by the id of the rate.
    """
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id)
        wanted = [typed(rate, raw) for rate in rates(adaptor)]
        chosen = {
            rate.id: {
                "category": rate.category,
                "exemptionReason": rate.reason or None,
                "exemptionCode": rate.code or None,
            }
            for rate in wanted
            if rate.category
        }
        errors = {rate.id: text for rate in wanted if (text := _mismatch(rate))}
        try:
            settings_from({"vat": chosen})
        except SettingsInvalid as error:
            errors |= {name.removeprefix("vat."): text for name, text in error.errors.items()}
        if errors:
            raise InvalidInput(errors)
        # Rates that the source no longer lists keep their choice: old documents still use them.
        listed = {rate.id for rate in wanted}
        kept = {key: value for key, value in (adaptor.settings.get("vat") or {}).items() if key not in listed}
        adaptor.settings = {**adaptor.settings, "vat": {**kept, **chosen}}
    return rules.release_all_blocked(adaptor_id)
