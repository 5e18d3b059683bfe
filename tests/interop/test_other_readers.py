"""factur-x's own parser reads our UBL: it must find the business terms that we meant."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from facturx import parse_ubl_cii_xml

from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.invoice import Invoice, Line
from invoiceapp.domain.money import fixed2, plain
from invoiceapp.domain.settings import Settings
from invoiceapp.formats.base import registry as formats
from invoiceapp.sources.base import UnusableBundle
from invoiceapp.sources.billy.mapping import convert

PEPPOL = formats()["peppol-bis-3"]


def number(value: Any) -> str | None:
    return None if value is None else plain(Decimal(str(value)))


def head(invoice: Invoice) -> dict[str, Any]:
    totals = invoice.totals
    return {
        "BT-1": invoice.number, "BT-2": invoice.issue_date, "BT-3": invoice.type.code, "BT-5": invoice.currency,
        "BT-9": invoice.due_date,
        "BT-10": invoice.buyer_reference, "BT-13": invoice.order_reference, "BT-12": invoice.contract_reference,
        "BT-20": invoice.payment_terms, "BT-106": fixed2(totals.lines), "BT-109": fixed2(totals.net),
        "BT-110": fixed2(totals.vat), "BT-112": fixed2(totals.gross), "BT-115": fixed2(totals.payable),
    }  # fmt: skip


def party(party: Any) -> dict[str, str | None]:
    return {
        "name": party.name, "legal_identifier": party.legal_id, "vat_identifier": party.vat_id,
        "einvoicing_addr": party.endpoint.value if party.endpoint else None,
        "einvoicing_addr_schemeid": party.endpoint.scheme if party.endpoint else None,
        "country_code": party.address.country, "city": party.address.city, "postcode": party.address.postal_code,
        "addr_l1": party.address.street,
    }  # fmt: skip


def line(line: Line) -> dict[str, str | None]:
    return {
        "BT-126": line.id, "BT-129": plain(line.quantity), "BT-130": line.unit, "BT-131": plain(line.net_amount),
        "BT-146": plain(line.price), "BT-151": line.vat.category.value, "BT-153": line.item.name,
        "BT-154": line.item.description, "BT-155": line.item.sellers_id,
    }  # fmt: skip


def as_read(row: dict[str, Any], wanted: dict[str, str | None]) -> dict[str, str | None]:
    """The same keys out of what was read; numbers without superfluous zeros."""
    found = {key: row.get(key) for key in wanted}
    return {key: number(value) if key in ("BT-129", "BT-131", "BT-146") else value for key, value in found.items()}


def test_another_parser_reads_the_terms_that_we_wrote(company):
    read = 0
    for key in company.tables["invoices"]:
        try:
            invoice = convert(company.bundle(key), Settings()).invoice
        except UnusableBundle:
            continue
        if invoice is None or has_fatal(PEPPOL.check(invoice)):
            continue
        terms = parse_ubl_cii_xml(PEPPOL.write(invoice))
        wanted = head(invoice)
        assert {name: terms.get(name) for name in wanted} == wanted
        for group, theirs in (("BG-4", invoice.seller), ("BG-7", invoice.buyer)):
            assert as_read(terms[group], party(theirs)) == party(theirs)
        assert [as_read(row, line(ours)) for row, ours in zip(terms["BG-25"], invoice.lines, strict=True)] == [
            line(ours) for ours in invoice.lines
        ]
        assert [(row["BT-116"], row["BT-117"], row["BT-118"]) for row in terms["BG-23"]] == [
            (fixed2(item.taxable_amount), fixed2(item.tax_amount), item.vat.category.value) for item in invoice.vat
        ]
        read += 1
    assert read > 400
