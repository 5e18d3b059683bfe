"""Which VAT category a tax rate probably is: from its rate and name, and from who was really invoiced with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.money import HUNDRED, ZERO, danish_digits, plain
from invoiceapp.domain.tax import VatCategory
from invoiceapp.domain.vat_guess import guess, guess_by_name, telling_word
from invoiceapp.models import Adaptor, Document, db, utcnow
from invoiceapp.sources.base import VatUse

from .sources import source_class

_YEAR = timedelta(days=365)
#: Documents that are looked into, the newest: enough to know the customers, few enough to do while a page waits.
MOST_DOCUMENTS = 500
_MOST_COUNTRIES = 4


@dataclass(frozen=True, slots=True)
class Usage:
    """Who was invoiced with one rate."""

    documents: int = 0
    countries: Mapping[str | None, int] = field(default_factory=dict)
    """Documents by the buyer's country, most first; None where the books have no country"""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the documents of the last twelve months say."""

    by_rate: Mapping[str, Usage]
    documents: int
    is_sample: bool
    """Whether there are more than were looked into"""
    seller_has_vat: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """What we would choose, and why."""

    category: VatCategory | None
    """None where a person has to decide, or where it depends on the customer"""
    reason: Text
    blocks: bool = False
    """Whether documents are stopped until somebody decides"""


def look(adaptor: Adaptor) -> Looked:
    """Read the newest documents of the last twelve months."""
    kind, since = source_class(adaptor), (utcnow() - _YEAR).date()
    bundles = db.session.scalars(
        select(Document.bundle)
        .where(Document.adaptor_id == adaptor.id, Document.issue_date >= since)
        .order_by(Document.issue_date.desc(), Document.id.desc())
        .limit(MOST_DOCUMENTS + 1)
    ).all()
    uses = [kind.vat_use(bundle) for bundle in bundles[:MOST_DOCUMENTS]]
    # The newest document tells: a company may have registered since.
    has_vat = uses[0].seller_has_vat if uses else True
    return Looked(_by_rate(uses), len(uses), len(bundles) > MOST_DOCUMENTS, has_vat)


def _by_rate(uses: Iterable[VatUse]) -> dict[str, Usage]:
    counted: dict[str, Counter[str | None]] = {}
    for use in uses:
        for rate_id in use.rates:
            counted.setdefault(rate_id, Counter())[use.country] += 1
    return {rate_id: Usage(countries.total(), dict(countries.most_common())) for rate_id, countries in counted.items()}


def propose(name: str, percent: Decimal | None, usage: Usage, seller_has_vat: bool) -> Proposal:
    """The proposal for one rate; ``percent`` 25 is 25 %."""
    if percent is None:
        return Proposal(None, Text("Satsen kan ikke læses i regnskabet.", "The rate cannot be read in the books."))
    facts = _Facts(name, percent, usage, seller_has_vat)
    if percent > ZERO:
        return Proposal(VatCategory.STANDARD, facts.told(is_named=False))
    if not seller_has_vat:
        return Proposal(VatCategory.OUTSIDE_SCOPE, facts.told(is_named=False))
    if not usage.documents:
        return _unused(name, facts)
    found = {country: guess(percent / HUNDRED, name, country, seller_has_vat) for country in usage.countries}
    categories = set(found.values())
    if None in categories:
        end = Text(
            ". Vælg, om det er varer (K) eller ydelser (AE)", ". Choose whether it is goods (K) or services (AE)"
        )
        return Proposal(None, facts.told(end), blocks=True)
    if len(categories) == 1:
        return Proposal(categories.pop(), facts.told())
    each = ", ".join(f"{country or '–'}: {category}" for country, category in list(found.items())[:_MOST_COUNTRIES])
    end = Text(
        f". Lad den stå åben, så vælges der efter kundens land ({each})",
        f". Left open, the country of the customer decides ({each})",
    )
    return Proposal(None, facts.told(end))


def _unused(name: str, facts: _Facts) -> Proposal:
    category = guess_by_name(name)
    if category is None:
        return Proposal(None, facts.told(Text(". Vælg, når den tages i brug", ". Choose once it is used")))
    return Proposal(category, facts.told())


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a proposal rests on, in words."""

    name: str
    percent: Decimal
    usage: Usage
    seller_has_vat: bool

    def told(self, end: Text | None = None, *, is_named: bool = True) -> Text:
        """``0 %, the name says “omvendt”, sold to DE and SE.``"""
        parts = [Text(f"{danish_digits(self.percent)} %", f"{plain(self.percent)}%")]
        if not self.seller_has_vat:
            parts.append(Text("virksomheden er ikke momsregistreret", "the company is not registered for VAT"))
        word = telling_word(self.name) if is_named else None
        if word:
            parts.append(Text(f"navnet siger »{word}«", f"the name says “{word}”"))
        parts.append(self._sold())
        da, en = ", ".join(part.da for part in parts), ", ".join(part.en for part in parts)
        return Text(f"{da}{end.da if end else ''}.", f"{en}{end.en if end else ''}.")

    def _sold(self) -> Text:
        if not self.usage.documents:
            return Text("ikke brugt de sidste 12 måneder", "not used in the last 12 months")
        known = [country for country in self.usage.countries if country]
        if not known:
            return Text("solgt til kunder uden land", "sold to customers without a country")
        shown, rest = known[:_MOST_COUNTRIES], len(known) - _MOST_COUNTRIES
        if rest > 0:
            listed = ", ".join(shown)
            return Text(f"solgt til {listed} og {rest} andre lande", f"sold to {listed} and {rest} other countries")
        return Text(f"solgt til {_and(shown, 'og')}", f"sold to {_and(shown, 'and')}")


def _and(names: list[str], word: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
