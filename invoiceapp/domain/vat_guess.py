"""Which VAT category a rate, its name and the buyer's country leave no doubt about."""

from __future__ import annotations

from decimal import Decimal

from .identifiers import EU_COUNTRIES
from .money import ZERO
from .tax import VatCategory

#: Words in the name of a rate that tell what it is for, by what they say.
REVERSE_WORDS = ("omvendt", "reverse")
_SERVICE_WORDS = (*REVERSE_WORDS, "ydelse", "service")
_GOODS_WORDS = ("vare", "goods")


def guess(rate: Decimal, name: str, buyer_country: str | None, seller_has_vat: bool) -> VatCategory | None:
    """The category; None where goods and services of an EU customer would differ. A rate of 0.25 is 25 %."""
    if rate > ZERO:
        return VatCategory.STANDARD
    if not seller_has_vat:
        return VatCategory.OUTSIDE_SCOPE
    if buyer_country is None or buyer_country == "DK":
        return VatCategory.REVERSE_CHARGE if _word(name, REVERSE_WORDS) else VatCategory.EXEMPT
    if buyer_country not in EU_COUNTRIES:
        return VatCategory.EXPORT
    if _word(name, _SERVICE_WORDS):
        return VatCategory.REVERSE_CHARGE
    return VatCategory.INTRA_COMMUNITY if _word(name, _GOODS_WORDS) else None


def guess_by_name(name: str) -> VatCategory | None:
    """For a rate of 0 % that nobody has used yet: what its name alone says."""
    if _word(name, REVERSE_WORDS):
        return VatCategory.REVERSE_CHARGE
    if _word(name, ("eksport", "export")):
        return VatCategory.EXPORT
    if _word(name, ("fri", "fritag", "exempt")):
        return VatCategory.EXEMPT
    if not _word(name, ("eu",)):
        return None
    if _word(name, _SERVICE_WORDS):
        return VatCategory.REVERSE_CHARGE
    return VatCategory.INTRA_COMMUNITY if _word(name, _GOODS_WORDS) else None


def telling_word(name: str) -> str | None:
    """The word in a rate's name that decides; None where it says nothing."""
    return _word(name, (*_SERVICE_WORDS, *_GOODS_WORDS))


def _word(name: str, words: tuple[str, ...]) -> str | None:
    lower = name.lower()
    return next((word for word in words if word in lower), None)
