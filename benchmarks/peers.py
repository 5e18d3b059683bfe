"""Other libraries that write the same invoice: what they take is the baseline of the same run."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal

from facturx import parse_ubl_cii_xml
from facturx.generate_xml import generate_cii_xml, generate_ubl_xml

from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import registry


def _facturx(invoice: Invoice, writer: Callable[..., object]) -> Callable[[], object]:
    """factur-x's writer on the terms that its own parser reads in our document; its XSD check is off."""
    terms = parse_ubl_cii_xml(registry()["peppol-bis-3"].write(invoice))
    # Copied each time, because the writers change their input.
    return lambda: writer(copy.deepcopy(terms), level="en16931", check_xsd=False, check_schematron=False)


def facturx_ubl(invoice: Invoice) -> Callable[[], object]:
    """factur-x's UBL writer."""
    return _facturx(invoice, generate_ubl_xml)


def facturx_cii(invoice: Invoice) -> Callable[[], object]:
    """factur-x's CII writer, which our CII format uses itself."""
    return _facturx(invoice, generate_cii_xml)


def drafthorse_cii(invoice: Invoice) -> Callable[[], object]:
    """drafthorse's object model of the same invoice, built and serialised; its XSD check is off."""
    return lambda: _drafthorse(invoice).serialize(schema=None)


def _drafthorse(invoice: Invoice):  # type: ignore[no-untyped-def]
    from drafthorse.models.accounting import ApplicableTradeTax
    from drafthorse.models.document import Document
    from drafthorse.models.payment import PaymentTerms

    document = Document()
    document.context.guideline_parameter.id = "urn:cen.eu:en16931:2017"
    document.header.id = invoice.number
    document.header.type_code = invoice.type.code
    document.header.issue_date_time = invoice.issue_date
    agreement, settlement = document.trade.agreement, document.trade.settlement
    for theirs, ours in ((agreement.seller, invoice.seller), (agreement.buyer, invoice.buyer)):
        theirs.name = ours.name
        theirs.address.line_one = ours.address.street or ""
        theirs.address.postcode = ours.address.postal_code or ""
        theirs.address.city_name = ours.address.city or ""
        theirs.address.country_id = ours.address.country or ""
    settlement.currency_code = invoice.currency
    settlement.payment_means.type_code = "42"
    for line in invoice.lines:
        document.trade.items.add(_drafthorse_line(line))
    for group in invoice.vat:
        tax = ApplicableTradeTax()
        tax.calculated_amount, tax.basis_amount = group.tax_amount, group.taxable_amount
        tax.type_code, tax.category_code, tax.rate_applicable_percent = (
            "VAT",
            group.vat.category.value,
            group.vat.percent,
        )
        settlement.trade_tax.add(tax)
    terms = PaymentTerms()
    terms.due = invoice.due_date
    settlement.terms.add(terms)
    totals = settlement.monetary_summation
    totals.line_total, totals.charge_total, totals.allowance_total = invoice.totals.lines, Decimal(0), Decimal(0)
    totals.tax_basis_total, totals.tax_total = invoice.totals.net, (invoice.totals.vat, invoice.currency)
    totals.grand_total, totals.due_amount = invoice.totals.gross, invoice.totals.payable
    return document


def _drafthorse_line(line):  # type: ignore[no-untyped-def]
    from drafthorse.models.tradelines import LineItem

    item = LineItem()
    item.document.line_id = line.id
    item.product.name = line.item.name
    item.agreement.net.amount = line.price
    item.agreement.net.basis_quantity = (Decimal(1), line.unit)
    item.delivery.billed_quantity = (line.quantity, line.unit)
    item.settlement.trade_tax.type_code = "VAT"
    item.settlement.trade_tax.category_code = line.vat.category.value
    item.settlement.trade_tax.rate_applicable_percent = line.vat.percent
    item.settlement.monetary_summation.total_amount = line.net_amount
    return item
