"""What is written is read back: all but what ``carried`` lists, and broken bytes are refused in words."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.generated import invoices

from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Delivery,
    DocumentReference,
    Invoice,
    Item,
    Line,
    PaymentMeans,
    PaymentMeansCode,
)
from invoiceapp.domain.parties import Address, Contact, Party, Payee
from invoiceapp.domain.tax import VatCategory, VatClass
from invoiceapp.domain.totals import net_price
from invoiceapp.formats.base import Unreadable, registry
from invoiceapp.formats.edifact.acknowledgements import read_acknowledgements
from invoiceapp.formats.edifact.charset import clean, pieces
from invoiceapp.formats.edifact.codes import PRICE_LENGTH, number
from invoiceapp.formats.edifact.syntax import readable

FORMAT = registry()["edifact-d96a"]
SENDER, RECEIVER = "5790000000012", "5798009811578"
ENDS = {"senderGln": SENDER, "receiverGln": RECEIVER}
PARAMETERS = FORMAT.parameters(ENDS)
generated = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def text(value: str | None) -> str | None:
    """In Latin-1, on one line; what is nothing then is not written."""
    return clean(value, "UNOC") or None


def cut(value: str | None, width: int, most: int) -> str | None:
    """As many pieces as the segment holds; a word longer than a piece comes back as two."""
    return " ".join(pieces(text(value) or "", width, most)) or None


def vat_class(vat: VatClass) -> VatClass:
    """Reasons are words for people; D.96A has no code for intra-community supply."""
    return VatClass(VatCategory.EXEMPT if vat.category == VatCategory.INTRA_COMMUNITY else vat.category, vat.percent)


def address(found: Address) -> Address:
    """No region; street and additional lines share four pieces, of which the first is the street."""
    lines = [*pieces(text(found.street) or "", 35, 4), *pieces(text(found.additional) or "", 35, 4)][:4]
    return Address(
        lines[0] if lines else None,
        " ".join(lines[1:]) or None,
        cut(found.city, 35, 1),
        cut(found.postal_code, 9, 1),
        None,
        found.country,
    )


def party(found: Party, mailbox: str) -> Party:
    """Known by GLN, not by the address in another network; no trading name, no numbers beside GLN, VAT and company."""
    contact = found.contact
    return Party(
        name=cut(found.name, 35, 5) or "",
        endpoint=Participant(GLN, found.gln or mailbox),
        legal_id=found.legal_id,
        legal_scheme=CVR if found.legal_id and found.is_danish else None,
        vat_id=found.vat_id,
        address=address(found.address),
        contact=Contact(None, cut(contact.name, 35, 1), text(contact.phone), text(contact.email)),
        legal_form=cut(found.legal_form, 70, 5),
    )


def allowance(found: AllowanceCharge) -> AllowanceCharge:
    return replace(found, reason=cut(found.reason, 35, 2) or "", vat=vat_class(found.vat) if found.vat else None)


def line(found: Line, position: int) -> Line:
    """Numbered by place; no classifications."""
    item = found.item
    return replace(
        found,
        id=str(position),
        vat=vat_class(found.vat),
        note=cut(found.note, 70, 25),
        order_line=text(found.order_line),
        accounting_cost=text(found.accounting_cost),
        allowances_charges=tuple(allowance(one) for one in found.allowances_charges),
        item=Item(
            cut(item.name, 35, 8) or "",
            cut(item.description, 35, 12),
            text(item.sellers_id),
            item.standard_id,
            text(item.buyers_id),
        ),
    )


OLDER_MEANS = {"48": "1", "49": "31", "58": "30", "59": "31", "93": "50", "97": "1"}


def payment(found: tuple[PaymentMeans, ...]) -> tuple[PaymentMeans, ...]:
    """The first way to pay, in the codes of 1996, without card and mandate."""
    return tuple(
        PaymentMeans(
            PaymentMeansCode(OLDER_MEANS.get(means.code, means.code)),
            text(means.payment_id),
            means.account,
            means.branch if means.account else None,
            cut(means.account_name, 35, 2) if means.account else None,
        )
        for means in found[:1]
    )


def delivery(found: Delivery | None) -> Delivery | None:
    if found is None:
        return None
    return Delivery(
        found.date, address(found.address) if found.address else None, cut(found.name, 35, 5), found.location
    )


def carried(invoice: Invoice) -> Invoice:
    """What the profile »eancom« carries of an invoice; ``generic-un`` has no code for the currency of VAT."""
    return replace(
        invoice,
        source_id="",
        number=text(invoice.number),
        seller=party(invoice.seller, SENDER),
        buyer=party(invoice.buyer, RECEIVER),
        lines=tuple(line(found, position) for position, found in enumerate(invoice.lines, 1)),
        vat=tuple(replace(group, vat=vat_class(group.vat)) for group in invoice.vat),
        note=cut(invoice.note, 70, 30),
        payment_terms=cut(invoice.payment_terms, 70, 5),
        **{
            name: text(getattr(invoice, name))
            for name in (
                "buyer_reference", "order_reference", "sales_order_reference", "despatch_reference",
                "contract_reference", "project_reference", "accounting_cost",
            )
        },
        preceding=tuple(DocumentReference(text(one.number) or "", one.issue_date) for one in invoice.preceding),
        payee=Payee(cut(invoice.payee.name, 35, 5) or "", invoice.payee.legal_id) if invoice.payee else None,
        delivery=delivery(invoice.delivery),
        payment=payment(invoice.payment),
        allowances_charges=tuple(allowance(one) for one in invoice.allowances_charges),
        vat_in_tax_currency=invoice.vat_in_tax_currency,
        attachments=(),
    )  # fmt: skip


def differences(found: Any, expected: Any) -> dict[str, tuple[Any, Any]]:
    """Fields that differ, because whole invoices are too long to read."""
    names = [item.name for item in fields(expected)]
    return {
        name: (getattr(found, name), getattr(expected, name))
        for name in names
        if getattr(found, name) != getattr(expected, name)
    }


def is_stopped(invoice: Invoice, parameters: Any) -> bool:
    return has_fatal(FORMAT.check(invoice, parameters))


@generated
@given(invoice=invoices("edifact-d96a"))
def test_what_is_written_is_read_back(invoice):
    assert differences(FORMAT.reader(FORMAT.write(invoice, PARAMETERS)), carried(invoice)) == {}


@generated
@given(invoice=invoices("edifact-d96a"))
def test_what_was_read_is_written_and_read_as_it_was(invoice):
    first = FORMAT.reader(FORMAT.write(invoice, PARAMETERS))
    assert differences(FORMAT.reader(FORMAT.write(first, PARAMETERS)), first) == {}


@generated
@given(invoice=invoices("edifact-d96a"))
def test_without_a_code_for_vat_its_currency_is_not_read_back_and_changes_no_amount(invoice):
    read = FORMAT.reader(FORMAT.write(invoice, FORMAT.parameters(ENDS | {"profile": "generic-un"})))
    assert (read.vat_in_tax_currency, read.currency, read.totals) == (None, invoice.currency, invoice.totals)


@generated
@given(
    invoice=invoices("edifact-d96a"),
    profile=st.sampled_from(("eancom", "eancom-gln", "dk-retail", "generic-un")),
    characters=st.sampled_from(("UNOA", "UNOB", "UNOC")),
    line_ends=st.sampled_from(("none", "lf", "crlf")),
    payable=st.sampled_from(("77", "9", "86")),
)
def test_what_the_checks_let_through_passes_the_examination(invoice, profile, characters, line_ends, payable):
    options = ENDS | {"characterSet": characters, "lineEnds": line_ends, "payableQualifier": payable}
    parameters = FORMAT.parameters(options | {"profile": profile, "deliveryNote": "invoice"})
    content = FORMAT.write(invoice, parameters)
    if not is_stopped(invoice, parameters):
        assert FORMAT.examine(content) == []
    read = FORMAT.reader(content)
    assert (read.totals, read.type, read.issue_date) == (invoice.totals, invoice.type, invoice.issue_date)
    assert [one.net_amount for one in read.lines] == [one.net_amount for one in invoice.lines]


@generated
@given(invoice=invoices("edifact-d96a"))
def test_net_prices_hold_the_line_discounts(invoice):
    content = FORMAT.write(invoice, FORMAT.parameters(ENDS | {"profile": "dk-retail"}))
    for found, written in zip(FORMAT.reader(content).lines, invoice.lines, strict=True):
        assert found.allowances_charges == ()
        assert found.price == Decimal(number(net_price(written), PRICE_LENGTH))


def _sample() -> bytes:
    return (
        b"UNA:+.? 'UNB+UNOC:3+5790000000012:14+5798009811578:14+261102:0930+1++INVOIC'UNH+1+INVOIC:D:96A:UN:EAN008'"
        b"BGM+380+2042+9'DTM+137:20261102:102'FTX+AAI+++Tak ?+ farvel'RFF+ON:PO-1881'NAD+SU+5790000000012::9'"
        b"NAD+BY+5798009811578::9++Skolen'CUX+2:DKK:4'PAT+1++5:3:D:14'DTM+13:20261116:102'LIN+1'IMD+F++:::Reparation'"
        b"QTY+47:2:HUR'MOA+203:900.00'PRI+AAA:450'TAX+7+VAT+++:::25+S'UNS+S'CNT+2:1'MOA+77:1125.00'MOA+79:900.00'"
        b"MOA+125:900.00'MOA+124:225.00'TAX+7+VAT+++:::25+S'MOA+124:225.00'MOA+125:900.00'UNT+26+1'UNZ+1+1'"
    )


def survives(content: bytes) -> None:
    """An answer or a refusal in words, whatever the bytes."""
    for function in (FORMAT.reader, readable, read_acknowledgements):
        try:
            function(content)
        except Unreadable as error:
            assert error.text.da
            assert error.text.en
    assert all(finding.text.da for finding in FORMAT.examine(content))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
@example(b"")
@example(b"UNA")
@example(b"UNA::::::")
@example(b"UNA:+.? 'UNB'")
@example(b"UNB+UNOY:4+\xff'")
@example(b"UNB+UNOC:3'UNH'UNT'UNZ'")
def test_any_bytes_are_read_or_refused(content):
    survives(content)


def test_the_sample_is_clean():
    assert FORMAT.examine(_sample()) == []


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_damaged_interchange_is_read_or_refused(data):
    content = _sample()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        width = data.draw(st.integers(0, 12))
        content = (
            content[:at]
            + data.draw(st.binary(max_size=4) | st.sampled_from((b"+", b":", b"'", b"?", b"9" * 40)))
            + content[at + width :]
        )
    survives(content)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_missing_repeated_and_swapped_segments_are_read_or_refused(data):
    segments = _sample().removeprefix(b"UNA:+.? '").split(b"'")[:-1]
    chosen = data.draw(st.lists(st.sampled_from(segments), max_size=40))
    survives(b"'".join([*segments[:2], *chosen, *segments[-2:], b""]))
