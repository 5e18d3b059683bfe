"""Texts, numbers and parties for generated invoices: small pools of hard values, so that drawing stays cheap."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import islice
from typing import TypeVar

from hypothesis import strategies as st

from invoiceapp.domain.identifiers import (
    CVR,
    GLN,
    NORWEGIAN,
    P_NUMBER,
    SE,
    SWEDISH,
    Participant,
    is_valid_cvr,
    is_valid_gln,
    is_valid_gtin,
    is_valid_norwegian,
    is_valid_swedish,
)
from invoiceapp.domain.parties import Address, Contact, Party

T = TypeVar("T")


def maybe(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | strategy


def _valid(check: Callable[[str], bool], start: int, step: int, count: int) -> list[str]:
    numbers = (str(number) for number in range(start, start + 100_000 * step, step))
    return list(islice((number for number in numbers if check(number)), count))


CVRS = _valid(is_valid_cvr, 10_000_008, 7919, 30)
GLNS = _valid(is_valid_gln, 5_798_000_000_001, 37, 30)
GTINS = [*_valid(is_valid_gtin, 5_712_345_000_003, 37, 20), "96385074", "036000291452", "10614141000415"]
SWEDISH_NUMBERS = _valid(is_valid_swedish, 5_560_000_001, 7919, 10)
NORWEGIAN_NUMBERS = _valid(is_valid_norwegian, 987_654_301, 7, 10)

_HARD_TEXTS = (
    "Rugbrød, smør & æbleskiver", "Årsabonnement – 2. rate", "5 < 6 > 4 & \"citat\" 'apostrof'", "]]> &amp; <b>fed</b>",
    "🎉 Kage 🍰👩‍🍳", "100 % uld", "Größe 42 / façade / Łódź / Ελλάδα / 日本", "a\u0301 e\u0308", "x", "0", "-", "#71#", "+71<1234",
    "Lang tekst med mange ord og æøå. " * 30 + "Slut",
)  # fmt: skip
#: Plain words, which most fields of most invoices hold.
_WORDS = ("Konsulentbistand", "Reservedel 12 mm", "Kørsel", "Møde i Århus", "Reparation af cykel", "Bogføring, maj")


def one_line(text: str) -> str:
    """As the sources leave a text: one line, never empty."""
    return " ".join(text.split()) or "tom"


texts = st.one_of(
    st.sampled_from(_WORDS),
    st.sampled_from(_HARD_TEXTS),
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co")), min_size=1, max_size=30).map(one_line),
)
#: Numbers of orders, contracts and the like.
references = st.one_of(
    st.integers(1, 10**10).map(str),
    st.sampled_from(("PO-1881", "ORD/2026/7", "Æ-17 & 18", "4500012345", "K-1 <2>", "0001")),
)
dates = st.dates(date(2024, 1, 1), date(2027, 12, 31))
emails = st.sampled_from(("ida@eksempel.example", "bogholderi+faktura@eksempel.example"))
phones = st.sampled_from(("66112233", "+45 66 11 22 33", "(0045) 66112233"))
ibans = st.sampled_from(("DK5000400440116243", "DE89370400440532013000", "SE4550000000058398257466", "NO9386011117947"))
bics = st.sampled_from(("POLRDKKK", "DEUTDEFF500"))


def addresses(country: str) -> st.SearchStrategy[Address]:
    return st.builds(
        Address,
        street=maybe(texts),
        additional=maybe(texts),
        city=maybe(texts),
        postal_code=st.sampled_from((None, "5000", "0900", "114 55", "SW1A 1AA")),
        subdivision=st.sampled_from((None, None, "Fyn", "Åland")),
        country=st.just(country),
    )


#: The person's own id is what OIOUBL calls the person reference.
contacts = st.builds(Contact, id=maybe(references), name=maybe(texts), phone=maybe(phones), email=maybe(emails))
gln_identifiers = st.sampled_from(GLNS).map(lambda value: (Participant(GLN, value),))


def _danish_endpoints(cvr: str) -> st.SearchStrategy[Participant]:
    return st.one_of(
        st.sampled_from(GLNS).map(lambda value: Participant(GLN, value)),
        st.sampled_from((Participant(CVR, cvr), Participant(SE, f"DK{cvr}"), Participant(P_NUMBER, "1003000001"))),
    )


@st.composite
def danish_parties(draw: st.DrawFn, *, seller: bool = False) -> Party:
    """A company with a CVR number; a buyer may be a school that only has its EAN number."""
    cvr = draw(st.sampled_from(CVRS))
    registered = seller or draw(st.booleans())
    return Party(
        name=draw(texts),
        endpoint=draw(_danish_endpoints(cvr)),
        trading_name=draw(maybe(texts)),
        legal_id=cvr if registered else None,
        legal_scheme=CVR if registered else None,
        vat_id=f"DK{cvr}" if registered and (seller or draw(st.booleans())) else None,
        address=draw(addresses("DK")),
        contact=draw(contacts),
        identifiers=draw(st.just(()) | gln_identifiers),
        legal_form=draw(maybe(texts)) if seller else None,
    )


_ABROAD = {
    "SE": (SWEDISH, SWEDISH_NUMBERS, "SE{}01"),
    "NO": (NORWEGIAN, NORWEGIAN_NUMBERS, "NO{}MVA"),
    "DE": ("9930", ["DE123456788", "DE814584193"], "{}"),
    "FR": ("9957", ["FR23334175221"], "{}"),
    "GB": ("9932", ["GB980780684"], "{}"),
    "US": ("0060", ["060704780"], None),
}
EU_ABROAD = ("SE", "DE", "FR")
OUTSIDE_EU = ("NO", "GB", "US")


@st.composite
def foreign_parties(draw: st.DrawFn, countries: tuple[str, ...]) -> Party:
    """A company abroad, addressed by the number that its country uses, with a VAT number where there is VAT."""
    country = draw(st.sampled_from(countries))
    scheme, numbers, vat_form = _ABROAD[country]
    number = draw(st.sampled_from(numbers))
    legal = draw(st.booleans())
    return Party(
        name=draw(texts),
        endpoint=Participant(scheme, number),
        trading_name=draw(maybe(texts)),
        legal_id=number if legal else None,
        legal_scheme=scheme if legal and scheme in (SWEDISH, NORWEGIAN) else None,
        vat_id=vat_form.format(number) if vat_form else None,
        address=draw(addresses(country)),
        contact=draw(contacts),
        identifiers=draw(st.just(()) | gln_identifiers),
    )
