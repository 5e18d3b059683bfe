"""VAT categories of the source's sales tax rates: the accounting system states a rate, the e-invoice needs a category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.domain.money import HUNDRED, ZERO, to_decimal
from invoiceapp.domain.settings import SettingsInvalid, settings_from
from invoiceapp.domain.tax import DEFAULT_EXEMPTION, VatCategory
from invoiceapp.formats.validation.codelists import codes
from invoiceapp.models import Adaptor
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput

from . import changes, environments, preflight, rules, vat_proposals, versions
from .saving import Saved
from .sources import TAX_RATES
from .vat_proposals import Looked, Proposal, Usage

LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Category:
    """A VAT category in the words of an accountant."""

    code: VatCategory
    name: Text
    use: Text
    """When to choose it, in one line"""
    oioubl: str
    """What OIOUBL, which knows three only, calls it"""

    @property
    def exemption(self) -> tuple[str | None, str | None]:
        """Code and reason where none are chosen."""
        return DEFAULT_EXEMPTION.get(self.code, (None, None))

    @property
    def becomes(self) -> Text:
        """What receivers see, in words."""
        code, _reason = self.exemption
        with_code = (f" med koden {code}", f" with the code {code}") if code else ("", "")
        peppol = Text(f"Peppol: kategori {self.code}{with_code[0]}", f"Peppol: category {self.code}{with_code[1]}")
        note = ("", "")
        if self.oioubl == ZERO_RATED and self.code is not VatCategory.ZERO_RATED:
            note = (" (0 %), og grunden står i notefeltet", " (0%), and the reason stands in the note")
        return Text(f"{peppol.da}. OIOUBL: {self.oioubl}{note[0]}.", f"{peppol.en}. OIOUBL: {self.oioubl}{note[1]}.")


ZERO_RATED = "ZeroRated"
CATEGORIES = (
    Category(
        VatCategory.STANDARD,
        Text("Almindelig moms", "Standard rate"),
        Text("Salg med dansk moms, normalt 25 %.", "Sales with Danish VAT, normally 25%."),
        "StandardRated",
    ),
    Category(
        VatCategory.ZERO_RATED,
        Text("Nulmoms", "Zero rated"),
        Text("Momspligtigt salg til 0 %, f.eks. aviser.", "Taxable sales at 0%, such as newspapers."),
        ZERO_RATED,
    ),
    Category(
        VatCategory.EXEMPT,
        Text("Momsfritaget", "Exempt"),
        Text(
            "Fritaget efter momsloven, f.eks. undervisning og sundhed.",
            "Exempt by the VAT act, such as teaching and health.",
        ),
        ZERO_RATED,
    ),
    Category(
        VatCategory.REVERSE_CHARGE,
        Text("Omvendt betalingspligt", "Reverse charge"),
        Text(
            "Køber afregner momsen, f.eks. ydelser til virksomheder i EU.",
            "The buyer accounts for the VAT, e.g. services to businesses in the EU.",
        ),
        "ReverseCharge",
    ),
    Category(
        VatCategory.INTRA_COMMUNITY,
        Text("EU-varesalg", "Intra-community supply"),
        Text(
            "Varer til momsregistrerede virksomheder i andre EU-lande.",
            "Goods to VAT-registered businesses in other EU countries.",
        ),
        ZERO_RATED,
    ),
    Category(
        VatCategory.EXPORT,
        Text("Eksport", "Export"),
        Text("Salg til lande uden for EU.", "Sales to countries outside the EU."),
        ZERO_RATED,
    ),
    Category(
        VatCategory.OUTSIDE_SCOPE,
        Text("Uden for momsloven", "Not subject to VAT"),
        Text(
            "F.eks. når virksomheden ikke er momsregistreret.",
            "For example where the company is not registered for VAT.",
        ),
        ZERO_RATED,
    ),
)

#: Exemption codes that a Danish company may need; the list that receivers know (VATEX) has more.
CODES: Mapping[str, Text] = {
    "VATEX-EU-AE": Text("Omvendt betalingspligt", "Reverse charge"),
    "VATEX-EU-IC": Text("EU-varesalg", "Intra-community supply"),
    "VATEX-EU-G": Text("Eksport uden for EU", "Export outside the EU"),
    "VATEX-EU-O": Text("Uden for momsloven", "Not subject to VAT"),
    "VATEX-EU-D": Text("Brugte transportmidler", "Second-hand means of transport"),
    "VATEX-EU-F": Text("Brugte varer (brugtmoms)", "Second-hand goods"),
    "VATEX-EU-I": Text("Kunst (brugtmoms)", "Works of art"),
    "VATEX-EU-J": Text("Samlerobjekter og antikviteter", "Collectors' items and antiques"),
    "VATEX-EU-132-1B": Text("Hospitaler og behandling", "Hospital and medical care"),
    "VATEX-EU-132-1C": Text("Læger og anden sundhed", "Medical professions"),
    "VATEX-EU-132-1E": Text("Tandlæger og tandteknikere", "Dentists and dental technicians"),
    "VATEX-EU-132-1G": Text("Social omsorg", "Welfare and social security"),
    "VATEX-EU-132-1H": Text("Børnepasning", "Protection of children"),
    "VATEX-EU-132-1I": Text("Undervisning", "Education"),
    "VATEX-EU-132-1J": Text("Privatundervisning", "Private tuition"),
    "VATEX-EU-132-1L": Text("Foreninger", "Membership organisations"),
    "VATEX-EU-132-1M": Text("Idræt", "Sport"),
    "VATEX-EU-132-1N": Text("Kultur", "Cultural services"),
    "VATEX-EU-135-1": Text("Forsikring, finans og fast ejendom", "Insurance, finance and real estate"),
}
#: Codes that belong to one category (PEPPOL-EN16931-P0104 … P0111).
_OF_CATEGORY = {
    **{code: category for category, (code, _reason) in DEFAULT_EXEMPTION.items() if code},
    **dict.fromkeys(("VATEX-EU-D", "VATEX-EU-F", "VATEX-EU-I", "VATEX-EU-J"), VatCategory.EXEMPT),
}


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


@dataclass(frozen=True, slots=True)
class Row:
    """One rate as the page shows it."""

    rate: Rate
    usage: Usage
    proposal: Proposal | None
    """None where the category is chosen"""

    @property
    def offers(self) -> bool:
        """Whether there is something to take over; a rate above 0 % is S whether it is chosen or not."""
        return self.proposal is not None and self.proposal.category is not None and self.rate.percent == ZERO


def rows(adaptor: Adaptor, looked: Looked) -> list[Row]:
    """All rates, with a proposal for each that has no category."""
    return [_row(rate, looked) for rate in rates(adaptor)]


def _row(rate: Rate, looked: Looked) -> Row:
    usage = looked.by_rate.get(rate.id, Usage())
    if rate.category:
        return Row(rate, usage, None)
    return Row(rate, usage, vat_proposals.propose(rate.name, rate.percent, usage, looked.seller_has_vat))


def typed(rate: Rate, raw: Mapping[str, str]) -> Rate:
    """The rate with what a person typed: ``<id>.category``, ``<id>.reason``, ``<id>.code``; as it is where nothing was."""
    if f"{rate.id}.category" not in raw:
        return rate
    category, reason, code = (raw.get(f"{rate.id}.{name}", "").strip() for name in ("category", "reason", "code"))
    return replace(rate, category=category, reason=reason, code=code.upper())


def with_proposals(found: list[Row], raw: Mapping[str, str], wanted: str) -> dict[str, str]:
    """What was typed, with the proposal where no category was chosen: of all rates (``all``) or of the one named."""
    filled = dict(raw)
    for row in found:
        name = f"{row.rate.id}.category"
        if wanted in ("all", row.rate.id) and row.offers and row.proposal and not raw.get(name):
            filled[name] = str(row.proposal.category)
    return filled


def version(adaptor: Adaptor) -> str:
    """For the hidden field ``version`` of the form."""
    return versions.version(adaptor.settings.get("vat") or {})


def _wrong(rate: Rate) -> Text | None:
    """Why a choice cannot be right; the official rules would refuse the document later."""
    if not rate.category:
        if rate.reason or rate.code:
            return Text("Vælg også en kategori.", "Choose a category, too.")
        return None
    return _mismatch(rate) or _wrong_reason(rate) or _wrong_code(rate)


def _mismatch(rate: Rate) -> Text | None:
    """BR-S-05 wants a rate above zero for S, BR-Z-05 … BR-O-05 zero for all others."""
    is_zero = rate.percent == ZERO
    if rate.category == VatCategory.STANDARD and is_zero:
        return Text("Kategori S kræver en sats over 0 %.", "Category S needs a rate above 0%.")
    if rate.category != VatCategory.STANDARD and not is_zero:
        return Text("En sats over 0 % skal have kategori S.", "A rate above 0% must have category S.")
    return None


def _wrong_reason(rate: Rate) -> Text | None:
    """BR-S-10 and BR-Z-10 forbid a reason."""
    if rate.category in (VatCategory.STANDARD, VatCategory.ZERO_RATED) and (rate.reason or rate.code):
        return Text(
            f"Kategori {rate.category} må ikke have grund eller kode. Slet dem, eller vælg en anden kategori.",
            f"Category {rate.category} must not have a reason or a code. Delete them, or choose another category.",
        )
    if len(rate.reason) > LONGEST_REASON:
        return Text(
            f"Skriv grunden med højst {LONGEST_REASON} tegn.",
            f"Write the reason in at most {LONGEST_REASON} characters.",
        )
    return None


def _wrong_code(rate: Rate) -> Text | None:
    """BR-CL-22 and PEPPOL-EN16931-P0104 … P0111."""
    if rate.code and rate.code not in codes("exemptions"):
        return Text(
            f"Koden »{rate.code}« findes ikke på listen over fritagelseskoder (VATEX). Vælg en af dem, der foreslås, eller "
            "lad feltet stå tomt.",
            f"The code “{rate.code}” is not in the list of exemption codes (VATEX). Choose one of those proposed, or leave "
            "the field empty.",
        )
    owner = _OF_CATEGORY.get(rate.code)
    if owner is not None and owner != rate.category:
        return Text(
            f"Koden {rate.code} hører til kategori {owner}, ikke {rate.category}.",
            f"The code {rate.code} belongs to category {owner}, not {rate.category}.",
        )
    return None


def _checked(wanted: list[Rate]) -> dict[str, Any]:
    """The choices in their stored form, by rate. Raises ``InvalidInput``, its errors by the id of the rate."""
    chosen = {
        rate.id: {
            "category": rate.category,
            "exemptionReason": rate.reason or None,
            "exemptionCode": rate.code or None,
        }
        for rate in wanted
        if rate.category
    }
    errors: dict[str, Text] = {}
    try:
        settings_from({"vat": chosen})
    except SettingsInvalid as error:
        errors |= {name.removeprefix("vat."): text for name, text in error.errors.items()}
    errors |= {rate.id: text for rate in wanted if rate.id not in errors and (text := _wrong(rate))}
    if errors:
        raise InvalidInput(errors)
    return chosen


def save(adaptor_id: str, raw: Mapping[str, str], *, actor: str = "system", shown: str | None = None) -> Saved:
    """Keep the choices; an empty category is none. Blocked documents are converted again.

    ``shown`` is ``version`` when the form was made. Raises ``InvalidInput``, its errors by the id of the rate,
    ``ChangedMeanwhile`` and ``AdaptorDeleted``.
    """
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)
        environments.require_kept(adaptor)
        wanted = [typed(rate, raw) for rate in rates(adaptor)]
        chosen, before = _checked(wanted), dict(adaptor.settings)
        # Rates that the source no longer lists keep their choice: old documents still use them.
        listed = {rate.id for rate in wanted}
        kept = {key: value for key, value in (before.get("vat") or {}).items() if key not in listed}
        after = {group: stored for group, stored in before.items() if group != "vat"}
        after |= {"vat": {**kept, **chosen}} if kept or chosen else {}
        if changes.differences(before, after):
            # A second click on the button would save what is there already; nobody is overtaken by that.
            versions.require(shown, before.get("vat") or {})
        adaptor.settings = after
        change = changes.record(adaptor, "vat", actor, before, after)
        change_id = change.id if change else None
    if change_id is not None:
        preflight.refresh(adaptor_id, actor)
    return Saved(rules.release_all_blocked(adaptor_id), change_id)
