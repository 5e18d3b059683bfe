"""Electronic addresses and other numbers that belong to a scheme."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import CVR, GLN, NORWEGIAN, P_NUMBER, SE, SWEDISH, Participant
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.parties import Party
from invoiceapp.formats.validation.codelists import codes

from .checks import Problem, is_blank, rules
from .parties import SIDES, WHOSE

BELGIAN, AUSTRALIAN = "0208", "0151"
_ABN_WEIGHTS = (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)

_FORM_RULES = {
    GLN: "PEPPOL-COMMON-R040",
    NORWEGIAN: "PEPPOL-COMMON-R041",
    CVR: "PEPPOL-COMMON-R042",
    BELGIAN: "PEPPOL-COMMON-R043",
    SWEDISH: "PEPPOL-COMMON-R049",
    AUSTRALIAN: "PEPPOL-COMMON-R050",
    P_NUMBER: "PEPPOL-COMMON-R052",
    SE: "PEPPOL-COMMON-R053",
}
FORM_RULES = tuple(_FORM_RULES.values())


def _is_belgian(value: str) -> bool:
    return re.fullmatch(r"[0-9]{10}", value) is not None and int(value[8:]) == 97 - int(value[:8]) % 97


def _is_australian(value: str) -> bool:
    if not re.fullmatch(r"[0-9]{11}", value):
        return False
    digits = (int(digit) for digit in value)
    return (sum(weight * digit for weight, digit in zip(_ABN_WEIGHTS, digits, strict=True)) - 10) % 89 == 0


_MORE_FORMS: dict[str, Callable[[str], bool]] = {BELGIAN: _is_belgian, AUSTRALIAN: _is_australian}


def form_rule(number: Participant) -> str | None:
    """The Peppol rule that a number breaks by its form, or None."""
    check = _MORE_FORMS.get(number.scheme)
    is_right = check(number.value) if check else number.is_well_formed
    return None if is_right else _FORM_RULES.get(number.scheme)


def endpoints(invoice: Invoice) -> Iterator[tuple[Text, Participant, str, str]]:
    """The electronic addresses: whose, address, term and fix."""
    for side, party, term, fix in (
        ("seller", invoice.seller, "BT-34", "supplier.endpoint"),
        ("buyer", invoice.buyer, "BT-49", "customer.endpoint"),
    ):
        if party.endpoint is not None and not is_blank(party.endpoint.value):
            yield WHOSE[side], party.endpoint, term, fix


def has_endpoint(party: Party) -> bool:
    """Whether a party has an electronic address that a writer writes."""
    return party.endpoint is not None and not is_blank(party.endpoint.value)


@rules("PEPPOL-EN16931-R020", "PEPPOL-EN16931-R010")
def endpoints_present(invoice: Invoice) -> Iterator[Problem]:
    """Both parties have an electronic address."""
    if not has_endpoint(invoice.seller):
        yield Problem("PEPPOL-EN16931-R020")
    if not has_endpoint(invoice.buyer):
        yield Problem("PEPPOL-EN16931-R010", buyer=invoice.buyer.name)


@rules("PEPPOL-EN16931-CL008", *FORM_RULES)
def endpoint_forms(invoice: Invoice) -> Iterator[Problem]:
    """Electronic addresses have a scheme that Peppol knows, and its form."""
    for whose, endpoint, term, fix in endpoints(invoice):
        rule = form_rule(endpoint)
        if endpoint.scheme not in codes("address_schemes"):
            yield Problem("PEPPOL-EN16931-CL008", cause=term, term=term, fix=fix, value=endpoint.scheme, whose=whose)
        elif rule is not None:
            yield Problem(rule, cause=term, term=term, fix=fix, value=endpoint.value, whose=whose)


@rules("BR-CL-25")
def endpoint_schemes(invoice: Invoice) -> Iterator[Problem]:
    """Electronic addresses have a scheme of EN 16931."""
    for whose, endpoint, term, fix in endpoints(invoice):
        if endpoint.scheme not in codes("eas"):
            yield Problem("BR-CL-25", cause=term, term=term, fix=fix, value=endpoint.scheme, whose=whose)


def _other_numbers(invoice: Invoice) -> Iterator[tuple[Text, Participant, str, str]]:
    """Numbers of the parties beside their addresses: whose, number, term and fix."""
    for side, group, _, _, term in SIDES:
        party: Party = getattr(invoice, side)
        # UBL-SR-16: the writer takes one of the buyer's, and BR-CL-10: none of schemes that only addresses have.
        for number in party.identifiers if side == "seller" else party.identifiers[:1]:
            if not number.scheme.startswith("0"):
                continue
            yield WHOSE[side], number, term, f"{group}.gln" if number.scheme == GLN else source_of(side)
    place = invoice.delivery.location if invoice.delivery else None
    if place is not None:
        yield WHOSE["buyer"], place, "BT-71", "customer.deliveryGln"


def source_of(side: str) -> str:
    """Where the accounting system holds a party's own numbers."""
    return "source.organization" if side == "seller" else "source.contact"


@rules("BR-CL-10", "BR-CL-26")
def number_schemes(invoice: Invoice) -> Iterator[Problem]:
    """Other numbers belong to a scheme of ISO 6523."""
    for whose, number, term, fix in _other_numbers(invoice):
        if number.scheme not in codes("identifier_schemes"):
            rule = "BR-CL-26" if term == "BT-71" else "BR-CL-10"
            yield Problem(rule, cause=term, term=term, fix=fix, value=number.scheme, whose=whose)


@rules("BR-CL-11")
def legal_schemes(invoice: Invoice) -> Iterator[Problem]:
    """Company registrations belong to a scheme of ISO 6523."""
    for side, _, term, _, _ in SIDES:
        party: Party = getattr(invoice, side)
        if party.legal_id and party.legal_scheme is not None and party.legal_scheme not in codes("identifier_schemes"):
            yield Problem(
                "BR-CL-11", cause=term, term=term, fix=source_of(side), value=party.legal_scheme, whose=WHOSE[side]
            )


@rules(*FORM_RULES)
def number_forms(invoice: Invoice) -> Iterator[Problem]:
    """Other numbers and registrations have the form of their scheme, as Peppol asks."""
    for whose, number, term, fix in _other_numbers(invoice):
        rule = form_rule(number)
        # Peppol asks this of parties, not of places.
        if rule is not None and term != "BT-71":
            yield Problem(rule, cause=term, term=term, fix=fix, value=number.value, whose=whose)
    for side, _, term, _, _ in SIDES:
        party: Party = getattr(invoice, side)
        if party.legal_id and party.legal_scheme:
            rule = form_rule(Participant(party.legal_scheme, party.legal_id))
            if rule is not None:
                yield Problem(rule, cause=term, term=term, fix=source_of(side), value=party.legal_id, whose=WHOSE[side])
