"""Built-in rules: pure checks on the model, with the official ids, for what Billy's data can break.

They run before a document is written, so that the user reads "the customer has
no country" instead of a Schematron message, and so that a missing rule pack
does not mean a missing check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain

from invoiceapp.domain.findings import Finding, Turn, fatal, warning
from invoiceapp.domain.identifiers import CVR, GLN, NORWEGIAN, P_NUMBER, SCHEME_NAMES, SE, SWEDISH, is_valid_cvr
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.money import ZERO
from invoiceapp.domain.parties import Party
from invoiceapp.domain.tax import VatCategory
from invoiceapp.formats.base import Parameters

Check = Callable[[Invoice], Iterator[Finding]]

_MALFORMED_RULES = {
    GLN: "PEPPOL-COMMON-R040",
    CVR: "PEPPOL-COMMON-R042",
    SE: "PEPPOL-COMMON-R053",
    P_NUMBER: "PEPPOL-COMMON-R052",
    SWEDISH: "PEPPOL-COMMON-R049",
    NORWEGIAN: "PEPPOL-COMMON-R041",
}
_OIOUBL_SCHEMES = frozenset({GLN, CVR, SE, P_NUMBER})


def _parties(invoice: Invoice) -> Iterator[Finding]:
    if not invoice.seller.name:
        yield fatal(
            "BR-06",
            "Jeres virksomhed mangler navn i Billy.",
            "Your company has no name in Billy.",
            turn=Turn.SOURCE,
            term="BT-27",
            fix="supplier.name",
        )
    if not invoice.buyer.name:
        yield fatal(
            "BR-07",
            "Kunden mangler navn i Billy.",
            "The customer has no name in Billy.",
            turn=Turn.SOURCE,
            term="BT-44",
            fix="customer.name",
        )
    if not invoice.buyer.address.country:
        yield fatal(
            "BR-11",
            "Kunden mangler land. Vælg landet på kontakten i Billy, eller skriv det her under kundens indstillinger.",
            "The customer has no country. Choose it on the contact in Billy, or write it in the customer's settings here.",
            turn=Turn.SOURCE, term="BT-55", fix="customer.country",
        )  # fmt: skip


def _seller_identity(invoice: Invoice) -> Iterator[Finding]:
    seller = invoice.seller
    if not seller.is_danish:
        return
    if not seller.legal_id:
        yield fatal(
            "DK-R-002",
            "Jeres CVR-nummer mangler. Skriv det i Billy under Indstillinger → Virksomhed.",
            "Your CVR number is missing. Enter it in Billy under Settings → Company.",
            turn=Turn.SOURCE, term="BT-30", fix="source.organization",
        )  # fmt: skip
    elif not is_valid_cvr(seller.legal_id):
        yield warning(
            "IA-CVR",
            f"Jeres CVR-nummer {seller.legal_id} har et forkert kontrolciffer. Kontroller det i Billy.",
            f"Your CVR number {seller.legal_id} has a wrong check digit. Check it in Billy.",
            turn=Turn.SOURCE, term="BT-30", fix="source.organization",
        )  # fmt: skip


def _seller_endpoint(invoice: Invoice) -> Iterator[Finding]:
    if invoice.seller.endpoint is None:
        yield fatal(
            "PEPPOL-EN16931-R020",
            "Afsenderen mangler en elektronisk adresse. Skriv jeres CVR-nummer i Billy, eller vælg en adresse under Leverandør.",
            "The sender has no electronic address. Enter your CVR number in Billy, or choose an address under Supplier.",
            turn=Turn.HERE, term="BT-34", fix="supplier.endpoint",
        )  # fmt: skip
    else:
        yield from _malformed(invoice.seller, "BT-34", "supplier.endpoint")


def _buyer_endpoint(invoice: Invoice) -> Iterator[Finding]:
    if invoice.buyer.endpoint is None:
        yield fatal(
            "PEPPOL-EN16931-R010",
            f"Vi mangler en elektronisk adresse til {invoice.buyer.name}: Skriv EAN-nummer eller CVR-nummer på kontakten i "
            "Billy, eller under kundens indstillinger her.",
            f"There is no electronic address for {invoice.buyer.name}: enter an EAN or CVR number on the contact in Billy, "
            "or in the customer's settings here.",
            turn=Turn.SOURCE, term="BT-49", fix="customer.endpoint",
        )  # fmt: skip
    else:
        yield from _malformed(invoice.buyer, "BT-49", "customer.endpoint")


def _malformed(party: Party, term: str, fix: str) -> Iterator[Finding]:
    endpoint = party.endpoint
    if endpoint is None or endpoint.is_well_formed:
        return
    kind = SCHEME_NAMES.get(endpoint.scheme, endpoint.scheme)
    da, en = (
        ("Det skal være 13 cifre med rigtigt kontrolciffer.", "It must be 13 digits with a correct check digit.")
        if endpoint.scheme == GLN
        else ("Kontroller cifrene.", "Check the digits.")
    )
    yield fatal(
        _MALFORMED_RULES.get(endpoint.scheme, "PEPPOL-EN16931-CL008"),
        f"{kind}-nummeret »{endpoint.value}« hos {party.name} er forkert. {da}",
        f"The {kind} number “{endpoint.value}” of {party.name} is wrong. {en}",
        turn=Turn.SOURCE, term=term, fix=fix,
    )  # fmt: skip


def _currency(invoice: Invoice) -> Iterator[Finding]:
    if not re.fullmatch(r"[A-Z]{3}", invoice.currency):
        yield fatal(
            "BR-CL-04",
            f"Valutaen »{invoice.currency}« kendes ikke.",
            f"The currency “{invoice.currency}” is unknown.",
            turn=Turn.SOURCE, term="BT-5", fix="source.invoice",
        )  # fmt: skip
    books = invoice.vat_in_tax_currency
    if books and not re.fullmatch(r"[A-Z]{3}", books.currency):
        yield fatal(
            "BR-CL-05",
            f"Valutaen »{books.currency}«, som jeres regnskab føres i, kendes ikke. Kontroller den i Billy.",
            f"The currency “{books.currency}” of your books is unknown. Check it in Billy.",
            turn=Turn.SOURCE, term="BT-6", fix="source.organization",
        )  # fmt: skip


_ZERO_PERCENT_RULES = {
    VatCategory.ZERO_RATED: "BR-Z-05",
    VatCategory.EXEMPT: "BR-E-05",
    VatCategory.REVERSE_CHARGE: "BR-AE-05",
    VatCategory.INTRA_COMMUNITY: "BR-IC-05",
    VatCategory.EXPORT: "BR-G-05",
    VatCategory.OUTSIDE_SCOPE: "BR-O-05",
}


def _vat_rates(invoice: Invoice) -> Iterator[Finding]:
    for item in invoice.vat:
        category, percent = item.vat.category, item.vat.percent
        if category is VatCategory.STANDARD and percent <= ZERO:
            yield _wrong_percent("BR-S-05", "S", "over 0 %", "above 0 %")
        elif category in _ZERO_PERCENT_RULES and percent != ZERO:
            yield _wrong_percent(_ZERO_PERCENT_RULES[category], category.value, "0 %", "0 %")


def _wrong_percent(rule: str, category: str, da: str, en: str) -> Finding:
    return fatal(
        rule,
        f"Momskategori {category} skal have en sats på {da}. Ret momskategorien for satsen under Moms.",
        f"VAT category {category} must have a rate of {en}. Correct the rate's category under VAT.",
        turn=Turn.HERE, term="BT-152", fix="vat",
    )  # fmt: skip


_SELLER_VAT_RULES = {
    VatCategory.STANDARD: "BR-S-02",
    VatCategory.ZERO_RATED: "BR-Z-02",
    VatCategory.EXEMPT: "BR-E-02",
    VatCategory.REVERSE_CHARGE: "BR-AE-02",
    VatCategory.INTRA_COMMUNITY: "BR-IC-02",
    VatCategory.EXPORT: "BR-G-02",
}


def _vat_numbers(invoice: Invoice) -> Iterator[Finding]:
    categories = {item.vat.category for item in invoice.vat}
    if VatCategory.OUTSIDE_SCOPE in categories:
        if len(categories) > 1:
            yield fatal(
                "BR-O-11",
                "Et dokument kan ikke blande linjer uden for momsloven (O) med andre linjer. Del det i to i Billy.",
                "A document cannot mix lines outside the scope of VAT (O) with other lines. Split it in two in Billy.",
                turn=Turn.SOURCE, term="BT-151", fix="source.invoice",
            )  # fmt: skip
        return
    for category in sorted(categories & _SELLER_VAT_RULES.keys()):
        if not invoice.seller.vat_id:
            yield fatal(
                _SELLER_VAT_RULES[category],
                "Jeres momsnummer mangler. Skriv CVR-nummeret i Billy, eller momsnummeret under Leverandør.",
                "Your VAT number is missing. Enter the CVR number in Billy, or the VAT number under Supplier.",
                turn=Turn.SOURCE, term="BT-31", fix="supplier.vatNumber",
            )  # fmt: skip
    yield from _buyer_vat_number(invoice, categories)


def _buyer_vat_number(invoice: Invoice, categories: set[VatCategory]) -> Iterator[Finding]:
    buyer = invoice.buyer
    if VatCategory.INTRA_COMMUNITY in categories and not buyer.vat_id:
        rule, needed = "BR-IC-02", True
    else:
        rule, needed = "BR-AE-02", VatCategory.REVERSE_CHARGE in categories and not (buyer.vat_id or buyer.legal_id)
    if needed:
        yield fatal(
            rule,
            f"Salg uden moms til {buyer.name} kræver kundens momsnummer. Skriv det på kontakten i Billy (CVR/momsnr.).",
            f"A sale without VAT to {buyer.name} needs the customer's VAT number. Enter it on the contact in Billy.",
            turn=Turn.SOURCE, term="BT-48", fix="customer.vatNumber",
        )  # fmt: skip


def _reference(invoice: Invoice) -> Iterator[Finding]:
    if not invoice.buyer_reference and not invoice.order_reference:
        yield fatal(
            "PEPPOL-EN16931-R003",
            "Fakturaen har hverken ordrenummer eller personreference; modtageren kræver mindst én af dem. Skriv ordrenummeret i "
            "Billy, eller en fast reference under kundens indstillinger.",
            "The invoice has neither an order number nor a buyer reference; the receiver demands one. Enter the order number in "
            "Billy, or a fixed reference in the customer's settings.",
            turn=Turn.SOURCE, term="BT-13", fix="customer.buyerReference",
        )  # fmt: skip


def _oioubl_address(invoice: Invoice) -> Iterator[Finding]:
    for party, term, fix in (
        (invoice.seller, "BT-34", "supplier.endpoint"),
        (invoice.buyer, "BT-49", "customer.endpoint"),
    ):
        if party.endpoint is not None and party.endpoint.scheme not in _OIOUBL_SCHEMES:
            yield fatal(
                "F-LIB179",
                f"OIOUBL kan kun sendes mellem danske adresser (EAN, CVR, SE, P-nummer); {party.name} har "
                f"{party.endpoint}. Vælg Peppol BIS 3 til denne kunde.",
                f"OIOUBL only goes between Danish addresses (EAN, CVR, SE, P number); {party.name} has "
                f"{party.endpoint}. Choose Peppol BIS 3 for this customer.",
                turn=Turn.HERE, term=term, fix=fix,
            )  # fmt: skip


def _oioubl_quantities(invoice: Invoice) -> Iterator[Finding]:
    rule = "F-CRN088" if invoice.is_credit_note else "F-INV147"
    for line in invoice.lines:
        if line.quantity == ZERO:
            yield fatal(
                rule,
                f"Linje {line.id} (»{line.item.name}«) har antal 0, og det tager OIOUBL-modtagere ikke. Ret eller fjern linjen i Billy.",
                f"Line {line.id} (“{line.item.name}”) has quantity 0, which OIOUBL receivers refuse. Correct or remove it in Billy.",
                turn=Turn.SOURCE, term="BT-129", fix="source.invoice", location=f"BG-25[{line.id}]",
            )  # fmt: skip


def _oioubl_one_standard_rate(invoice: Invoice) -> Iterator[Finding]:
    if len({item.vat.percent for item in invoice.vat if item.vat.category is VatCategory.STANDARD}) > 1:
        yield fatal(
            "F-LIB315",
            "Dokumentet har to forskellige momssatser over 0 %. OIOUBL kan kun bære én; del dokumentet i Billy, eller brug Peppol BIS 3.",
            "The document has two VAT rates above 0 %. OIOUBL carries only one; split the document in Billy, or use Peppol BIS 3.",
            turn=Turn.SOURCE, term="BT-152", fix="source.invoice",
        )  # fmt: skip


_COMMON: tuple[Check, ...] = (_parties, _currency, _vat_rates, _vat_numbers)
_ELECTRONIC: tuple[Check, ...] = (*_COMMON, _seller_identity, _seller_endpoint, _buyer_endpoint)
_PEPPOL: tuple[Check, ...] = (*_ELECTRONIC, _reference)
_OIOUBL: tuple[Check, ...] = (*_ELECTRONIC, _oioubl_address, _oioubl_quantities, _oioubl_one_standard_rate)


def _run(checks: tuple[Check, ...], invoice: Invoice) -> list[Finding]:
    return list(chain.from_iterable(check(invoice) for check in checks))


def check_peppol(invoice: Invoice, parameters: Parameters) -> list[Finding]:
    """What Peppol BIS Billing 3 receivers would refuse."""
    return _run(_PEPPOL, invoice)


def check_oioubl(invoice: Invoice, parameters: Parameters) -> list[Finding]:
    """What OIOUBL 2.1 receivers would refuse."""
    return _run(_OIOUBL, invoice)


def check_readable(invoice: Invoice, parameters: Parameters) -> list[Finding]:
    """What even a person could not use: for formats without electronic addresses."""
    return _run(_COMMON, invoice)
