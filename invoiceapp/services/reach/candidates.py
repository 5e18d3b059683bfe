"""Under which addresses a customer may be registered, told from what the books and the user say of it. No database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from invoiceapp.domain.findings import Finding, Turn, warning
from invoiceapp.domain.identifiers import (
    CVR,
    GLN,
    NORWEGIAN,
    P_NUMBER,
    SE,
    SWEDISH,
    VAT_SCHEMES,
    Participant,
    cvr_from,
    digits,
    is_valid_p_number,
)

#: Addresses that NemHandelsregisteret keeps; all others are asked about in Peppol only.
DANISH = frozenset({GLN, CVR, SE, P_NUMBER})
BELGIAN = "0208"
GREECE = "GR"


class Basis(StrEnum):
    """Why an address is believed to be the customer's."""

    SETTING = "setting"
    """the user has set it for the customer"""
    GLN = "gln"
    """the GLN in the books"""
    REGISTRATION = "registration"
    """the company's number in the books"""
    COMPANY = "company"
    """a register lists it under the same company; a person must say whether it is the right one"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one customer without asking anybody."""

    customer_id: str
    name: str
    country: str | None = None
    gln: str | None = None
    registration_no: str | None = None
    email: str | None = None
    """Where invoices would be mailed to"""
    own_address: Participant | None = None
    """The electronic address that the user has set"""
    format: str | None = None
    """Of its export rule, also where that is at rest"""
    gateway_id: str | None = None
    """Of its export rule"""

    @property
    def cvr(self) -> str | None:
        """The company's number where it is Danish; who has no country is taken for Danish."""
        return cvr_from(self.registration_no) if self.country in (None, "", "DK") else None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address worth asking about."""

    participant: Participant
    basis: Basis


def candidates(facts: Facts) -> tuple[Candidate, ...]:
    """In the order in which they are preferred; well-formed ones only, none twice."""
    found: dict[Participant, Candidate] = {}
    for candidate in _all(facts):
        if candidate.participant.is_well_formed:
            found.setdefault(candidate.participant, candidate)
    return tuple(found.values())


def _all(facts: Facts) -> Iterator[Candidate]:
    if facts.own_address is not None:
        yield Candidate(facts.own_address, Basis.SETTING)
    if facts.gln:
        yield Candidate(Participant(GLN, digits(facts.gln)), Basis.GLN)
    numbers = _danish(facts) if facts.country in (None, "", "DK") else _foreign(facts.country or "", facts)
    for scheme, value in numbers:
        yield Candidate(Participant(scheme, value), Basis.REGISTRATION)


def _danish(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.cvr:
        yield CVR, facts.cvr
        yield SE, f"DK{facts.cvr}"
    elif is_valid_p_number(digits(facts.registration_no or "")):
        yield P_NUMBER, digits(facts.registration_no or "")


def _foreign(country: str, facts: Facts) -> Iterator[tuple[str, str]]:
    """The national number first, then the VAT number."""
    bare = re.sub(r"[^A-Za-z0-9]", "", facts.registration_no or "").upper()
    number = re.sub(r"\D", "", bare)
    if not bare:
        return
    if country == "NO":
        yield NORWEGIAN, number
    elif country == "SE":
        # The VAT number is SE, the organisation number, and 01.
        yield SWEDISH, number[:10] if len(number) == 12 and number.endswith("01") else number
    elif country == "BE":
        # Older numbers are written without their leading zero.
        bare = number.zfill(10)
        yield BELGIAN, bare
    scheme, prefix = VAT_SCHEMES.get(country), "EL" if country == GREECE else country
    if scheme:
        yield scheme, bare if bare.startswith(prefix) else prefix + bare


def remarks(facts: Facts) -> list[Finding]:
    """A GLN that cannot be one."""
    if not facts.gln or Participant(GLN, digits(facts.gln)).is_well_formed:
        return []
    return [
        warning(
            "IA-NETWORK-GLN",
            f"GLN-nummeret {facts.gln} kan ikke være rigtigt: det skal have 13 cifre, og det sidste skal passe til de andre. "
            "Ret det på kunden i regnskabet.",
            f"The GLN {facts.gln} cannot be right: it must have 13 digits, and the last one must fit the others. Correct it on "
            "the customer in the accounting system.",
            turn=Turn.SOURCE,
            term="BT-49",
            fix="customer.gln",
        )
    ]
