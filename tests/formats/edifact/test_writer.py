from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from invoiceapp.domain.identifiers import GLN, Participant
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Delivery,
    DocumentReference,
    DocumentType,
    Invoice,
    Item,
    Line,
    PaymentMeans,
    PaymentMeansCode,
    Period,
    VatInTaxCurrency,
)
from invoiceapp.domain.parties import Address, Contact, Payee
from invoiceapp.domain.tax import VatCategory, VatClass
from invoiceapp.domain.totals import document_totals, vat_breakdown
from invoiceapp.formats.base import Interchange, registry
from invoiceapp.formats.edifact.codes import number
from invoiceapp.formats.edifact.syntax import parse, readable

FORMAT = registry()["edifact-d96a"]
SENDER, RECEIVER = "5790000000012", "5798009811578"
STANDARD = VatClass(VatCategory.STANDARD, Decimal(25))
Make = Callable[..., Invoice]


def segments(invoice: Invoice, interchange: Interchange | None = None, **options: str) -> list[str]:
    content = FORMAT.write(invoice, FORMAT.parameters({"senderGln": SENDER, **options}, interchange))
    assert FORMAT.examine(content) == []
    return readable(content).removeprefix("UNA:+.? '\n").removesuffix("'").split("'\n")


def starting(tag: str, found: list[str]) -> list[str]:
    return [item for item in found if item.startswith(tag)]


def one_line(**fields: object) -> Line:
    return replace(Line("1", Decimal(2), "EA", Decimal("900.00"), Decimal(450), STANDARD, Item("Cykel")), **fields)


def with_line(make: Make, line: Line, **fields: object) -> Invoice:
    return make(lines=(line,), **fields)


def with_extras(invoice: Invoice, *extras: AllowanceCharge) -> Invoice:
    vat = vat_breakdown(invoice.lines, extras)
    return replace(invoice, allowances_charges=extras, vat=vat, totals=document_totals(invoice.lines, vat, extras))


def test_the_envelope_has_the_number_the_danish_time_and_the_same_references_at_both_ends(invoice):
    interchange = Interchange(7, datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    found = segments(invoice, interchange)
    assert found[0] == f"UNB+UNOC:3+{SENDER}:14+{RECEIVER}:14+260702:0030+7++INVOIC"
    assert found[1] == "UNH+1+INVOIC:D:96A:UN:EAN008"
    assert found[-2:] == [f"UNT+{len(found) - 2}+1", "UNZ+1+7"]


def test_what_the_user_chose_stands_on_the_envelope(invoice):
    found = segments(
        invoice, Interchange(3), testFlag="on", acknowledgementRequest="on", recipientReference="HEMMELIG+1",
        receiverGln="5790000000029", firstControlReference="1000", characterSet="UNOB",
    )  # fmt: skip
    assert found[0] == f"UNB+UNOB:3+{SENDER}:14+5790000000029:14+000101:0100+1002+HEMMELIG?+1+INVOIC++1++1"
    assert found[-1] == "UNZ+1+1002"


def test_the_same_invoice_gives_the_same_bytes_and_another_number_changes_nothing_but_the_envelope(invoice):
    first, again, other = (FORMAT.write(invoice, FORMAT.parameters({}, Interchange(n))) for n in (1, 1, 2))
    assert first == again
    assert first.replace(b"+1++INVOIC", b"+2++INVOIC").replace(b"UNZ+1+1'", b"UNZ+1+2'") == other


def test_a_message_has_all_its_segments_in_order(make_invoice):
    found = segments(make_invoice())
    assert found[2:] == [
        "BGM+380+2042+9",
        "DTM+137:20261102:102",
        "PAI+::42",
        "RFF+ON:PO-1881",
        "RFF+CR:Mette",
        "RFF+PQ:2042",
        f"NAD+SU+{SENDER}::9++Værkstedet ApS+Lillestræde 4+Odense C++5000+DK",
        "FII+RB+0440116243+:::0040",
        "RFF+VA:DK12345674",
        "RFF+XA:12345674",
        "CTA+IC+:Ida",
        "COM+ida@v.example:EM",
        f"NAD+BY+{RECEIVER}::9++Skolen+Skolevej 9+Odense C++5000+DK",
        "RFF+XA:10150817",
        "CTA+IC+:Mette",
        "TAX+7+VAT+++:::25+S",
        "CUX+2:DKK:4",
        "PAT+1++5:3:D:14",
        "DTM+13:20261116:102",
        "LIN+1",
        "PIA+5+R-1:SA",
        "IMD+F++:::Reparation",
        "IMD+A++:::Cykel",
        "QTY+47:2:HUR",
        "MOA+203:900.00",
        "PRI+AAA:450",
        "TAX+7+VAT+++:::25+S",
        "LIN+2",
        "IMD+F++:::Reservedel",
        "QTY+47:2.5:PCE",
        "MOA+203:83.33",
        "PRI+AAA:33.33",
        "TAX+7+VAT+++:::25+S",
        "UNS+S",
        "CNT+2:2",
        "MOA+77:1229.16",
        "MOA+79:983.33",
        "MOA+125:983.33",
        "MOA+124:245.83",
        "TAX+7+VAT+++:::25+S",
        "MOA+124:245.83",
        "MOA+125:983.33",
        "UNT+44+1",
        "UNZ+1+1",
    ]


def test_a_credit_note_has_positive_amounts_and_names_the_invoice(make_invoice):
    found = segments(
        make_invoice(type=DocumentType.CREDIT_NOTE, preceding=(DocumentReference("2041", date(2026, 10, 1)),))
    )
    assert "BGM+381+2042+9" in found
    assert found[found.index("RFF+IV:2041") + 1] == "DTM+171:20261001:102"
    assert "MOA+77:1229.16" in found


def test_every_reference_has_its_qualifier(make_invoice):
    found = segments(
        make_invoice(
            order_reference="O", despatch_reference="D", contract_reference="C", sales_order_reference="S",
            buyer_reference="B", project_reference="P", accounting_cost="A",
        )
    )  # fmt: skip
    assert [item for item in starting("RFF", found) if item[4:6] not in ("VA", "XA", "PQ")] == [
        "RFF+ON:O", "RFF+DQ:D", "RFF+CT:C", "RFF+VN:S", "RFF+CR:B", "RFF+AEP:P", "RFF+ADE:A",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("given", ["RFF+DQ:F-7"]),
        ("order", ["RFF+DQ:PO-1881"]),
        ("invoice", ["RFF+DQ:2042"]),
        ("none", []),
        ("", ["RFF+DQ:F-7"]),
    ],
)
def test_the_delivery_note_is_what_the_user_chose(make_invoice, policy, expected):
    found = segments(make_invoice(despatch_reference="F-7"), deliveryNote=policy)
    assert starting("RFF+DQ", found) == expected


def test_long_texts_are_split_between_words(make_invoice):
    note = "Tak for handlen og på gensyn. " * 14
    found = segments(
        make_invoice(note=note, payment_terms="Netto 14 dage", lines=(one_line(note="Kommer i to kasser"),))
    )
    first, second = starting("FTX+AAI", found)[:2]
    assert [len(piece) <= 70 for piece in first[10:].split(":")] == [True] * 5
    assert " ".join((first[10:] + ":" + second[10:]).split(":")) == note.strip()
    assert "FTX+AAB+++Netto 14 dage" in found
    assert found[found.index("LIN+1") :][3] == "FTX+AAI+++Kommer i to kasser"


def test_long_names_and_streets_take_several_components(make_invoice, invoice):
    buyer = replace(
        invoice.buyer,
        name="Foreningen til fremme af cykelkørsel i Odense og omegn",
        address=Address(
            "Den meget lange vej langs åen nummer 123, 4. sal", "Att. Mette", "Odense C", "5000", None, "DK"
        ),
    )
    (nad,) = starting("NAD+BY", segments(make_invoice(buyer=buyer)))
    assert nad.split("+")[4:] == [
        "Foreningen til fremme af:cykelkørsel i Odense og omegn",
        "Den meget lange vej langs åen:nummer 123, 4. sal:Att. Mette",
        "Odense C",
        "",
        "5000",
        "DK",
    ]


def test_a_long_item_name_takes_several_segments(make_invoice):
    name = "Cykelslange 28 tommer med autoventil, ekstra slidstærk gummi, til landevej og grus, sort"
    found = segments(with_line(make_invoice, one_line(item=Item(name))))
    assert starting("IMD", found) == [
        "IMD+F++:::Cykelslange 28 tommer med:autoventil, ekstra slidstærk gummi,",
        "IMD+F++:::til landevej og grus, sort",
    ]


@pytest.mark.parametrize(
    ("item", "options", "expected"),
    [
        (Item("x", standard_id="5712345000021"), {}, ["LIN+1++5712345000021:EN"]),
        (Item("x", standard_id="5712345000021"), {"gtinCode": "SRV"}, ["LIN+1++5712345000021:SRV"]),
        (Item("x", standard_id="5712345000021"), {"profile": "dk-retail"}, ["LIN+1++5712345000021:EU"]),
        (Item("x", None, "A", "5712345000021", "B"), {}, ["LIN+1++5712345000021:EN", "PIA+1+A:SA+B:IN"]),
        (Item("x", None, "A", None, "B"), {}, ["LIN+1", "PIA+5+A:SA+B:IN"]),
        (Item("x"), {}, ["LIN+1"]),
    ],
)
def test_items_are_known_by_bar_code_and_own_numbers(make_invoice, item, options, expected):
    found = segments(with_line(make_invoice, one_line(item=item)), **options)
    assert starting("LIN", found) + starting("PIA", found) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (one_line(), ["QTY+47:2:PCE", "PRI+AAA:450"]),
        (one_line(unit="C62", quantity=Decimal("-2"), net_amount=Decimal("-900")), ["QTY+47:-2:PCE", "PRI+AAA:450"]),
        (
            one_line(unit="KGM", base_quantity=Decimal(100), price=Decimal(45000)),
            ["QTY+47:2:KGM", "PRI+AAA:45000:::100:KGM"],
        ),
        (one_line(price=Decimal("1E+3"), net_amount=Decimal(2000)), ["QTY+47:2:PCE", "PRI+AAA:1000"]),
        (
            one_line(price=Decimal("33.333333333333333333"), net_amount=Decimal("66.67")),
            ["QTY+47:2:PCE", "PRI+AAA:33.3333333333333"],
        ),
    ],
)
def test_numbers_are_plain_and_fit_their_fields(make_invoice, line, expected):
    # Another line makes the sum positive.
    found = segments(make_invoice(lines=(line, one_line(net_amount=Decimal(5000), price=Decimal(2500)))))
    assert [starting("QTY", found)[0], starting("PRI", found)[0]] == expected


@pytest.mark.parametrize(
    ("value", "length", "text"),
    [
        ("0", 15, "0"), ("-0.00", 15, "0"), ("1E+2", 15, "100"), ("1.50", 15, "1.5"), ("99.95", 3, "100"), ("0.125", 3, "0.13"),
        ("-1234.5678", 6, "-1234.57"), ("123456", 3, "123456"), ("1E-60", 15, "0"),
    ],
)  # fmt: skip
def test_a_number_is_rounded_to_the_digits_there_is_room_for(value, length, text):
    assert number(Decimal(value), length) == text


DISCOUNT = AllowanceCharge(
    False, Decimal("90.00"), "Rabat", percent=Decimal(10), base=Decimal("900.00"), reason_code="95"
)


def test_a_line_discount_is_told_in_segments_and_in_the_net_price(make_invoice):
    found = segments(with_line(make_invoice, one_line(net_amount=Decimal("810.00"), allowances_charges=(DISCOUNT,))))
    at = found.index("MOA+203:810.00")
    assert found[at : at + 8] == [
        "MOA+203:810.00", "PRI+AAA:405", "PRI+AAB:450", "TAX+7+VAT+++:::25+S", "ALC+A+:95+++AJ:::Rabat", "PCD+3:10", "MOA+8:90.00",
        "MOA+25:900.00",
    ]  # fmt: skip


def test_the_net_price_of_a_large_quantity_has_the_decimals_that_give_its_amount(make_invoice):
    discount = AllowanceCharge(False, Decimal("1000.00"), "Rabat")
    many = one_line(
        quantity=Decimal(700_000), price=Decimal("10000") / 700_000, net_amount=Decimal("9000.00"),
        allowances_charges=(discount,),
    )  # fmt: skip
    found = segments(with_line(make_invoice, many))
    assert starting("PRI", found) == ["PRI+AAA:0.012857143", "PRI+AAB:0.01428571428571"]


def test_a_net_price_never_has_more_digits_than_its_element(make_invoice):
    discount = AllowanceCharge(False, Decimal("0.01"), "Rabat")
    many = one_line(
        quantity=Decimal("7000003"), price=Decimal("1234567.89"), net_amount=Decimal("8641978933703.66"),
        allowances_charges=(discount,),
    )  # fmt: skip
    (price, _) = starting("PRI", segments(with_line(make_invoice, many)))
    assert sum(character.isdigit() for character in price) <= 15


def test_danish_retail_has_net_prices_and_no_line_discounts(make_invoice):
    line = one_line(net_amount=Decimal("810.00"), allowances_charges=(DISCOUNT,))
    found = segments(with_line(make_invoice, line), profile="dk-retail")
    assert (starting("PRI", found), starting("ALC", found)) == (["PRI+AAA:405"], [])


def test_charges_of_the_document_stand_before_the_lines_and_in_the_sums(invoice):
    charge = AllowanceCharge(True, Decimal("100.00"), "Fragt til døren", STANDARD, reason_code="FC")
    allowance = AllowanceCharge(False, Decimal("50.00"), "Rabat", STANDARD)
    found = segments(with_extras(invoice, charge, allowance))
    at = found.index("ALC+C++++FC:::Fragt til døren")
    assert found[at + 1 : at + 7] == [
        "MOA+8:100.00", "TAX+7+VAT+++:::25+S", "ALC+A++++AJ:::Rabat", "MOA+8:50.00", "TAX+7+VAT+++:::25+S", "LIN+1",
    ]  # fmt: skip
    assert {"MOA+79:983.33", "MOA+131:50.00", "MOA+125:1033.33"} <= set(found)


def test_rounding_and_prepayment_are_stated(invoice):
    totals = replace(invoice.totals, rounding=Decimal("-0.16"), prepaid=Decimal("29.00"), payable=Decimal("1200.00"))
    found = segments(replace(invoice, totals=totals))
    assert {"MOA+165:-0.16", "MOA+113:29.00", "MOA+77:1200.00"} <= set(found)


@pytest.mark.parametrize(
    ("options", "expected"), [({}, "77"), ({"payableQualifier": "9"}, "9"), ({"profile": "generic-un"}, "9")]
)
def test_the_amount_to_pay_has_the_partners_qualifier(invoice, options, expected):
    assert f"MOA+{expected}:1229.16" in segments(invoice, **options)


@pytest.mark.parametrize(
    ("category", "profile", "code"),
    [
        (VatCategory.ZERO_RATED, "eancom", "Z"), (VatCategory.EXEMPT, "eancom", "E"), (VatCategory.REVERSE_CHARGE, "eancom", "AE"),
        (VatCategory.REVERSE_CHARGE, "generic-un", "E"), (VatCategory.INTRA_COMMUNITY, "eancom", "E"),
        (VatCategory.EXPORT, "eancom", "G"), (VatCategory.OUTSIDE_SCOPE, "eancom", "O"), (VatCategory.OUTSIDE_SCOPE, "generic-un", "E"),
    ],
)  # fmt: skip
def test_vat_categories_have_the_partners_code_and_the_reason_is_told(make_invoice, category, profile, code):
    vat = VatClass(category, Decimal(0), "Derfor ingen moms")
    found = segments(with_line(make_invoice, one_line(vat=vat)), profile=profile)
    assert starting("TAX", found) == [f"TAX+7+VAT+++:::0+{code}"] * 3
    assert "FTX+TXD+++Derfor ingen moms" in found


def test_two_rates_have_two_groups_and_no_rate_in_the_header(make_invoice):
    lower = VatClass(VatCategory.STANDARD, Decimal("12.5"))
    other = one_line(id="2", vat=lower, price=Decimal(50), net_amount=Decimal("100.00"))
    found = segments(make_invoice(lines=(one_line(), other)))
    assert starting("TAX", found[: found.index("LIN+1")]) == []
    assert found[found.index("UNS+S") :][6:12] == [
        "TAX+7+VAT+++:::25+S", "MOA+124:225.00", "MOA+125:900.00", "TAX+7+VAT+++:::12.5+S", "MOA+124:12.50", "MOA+125:100.00",
    ]  # fmt: skip


def test_a_foreign_currency_has_its_rate_and_the_vat_in_the_books_currency(make_invoice):
    books = VatInTaxCurrency("DKK", Decimal("1834.00"), Decimal("7.4602"))
    found = segments(make_invoice(currency="EUR", vat_in_tax_currency=books))
    assert "CUX+2:EUR:4+3:DKK:10E+7.4602" in found
    assert "MOA+124:1834.00:DKK:10E" in found


def test_without_a_code_for_vat_the_books_currency_is_no_target_and_never_what_is_paid_in(make_invoice):
    books = VatInTaxCurrency("DKK", Decimal("1834.00"), Decimal("7.4602"))
    found = segments(make_invoice(currency="EUR", vat_in_tax_currency=books), profile="generic-un")
    assert starting("CUX", found) == ["CUX+2:EUR:4"]
    assert "MOA+124:1834.00:DKK" in found
    assert [item for item in found if ":11" in item and "DTM" not in item] == []


def test_periods_of_document_and_line_are_dated(make_invoice):
    may = Period(date(2026, 5, 1), date(2026, 5, 31))
    found = segments(with_line(make_invoice, one_line(period=may), period=may))
    assert starting("DTM+167", found) == ["DTM+167:20260501:102"] * 2
    assert starting("DTM+168", found) == ["DTM+168:20260531:102"] * 2


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (date(2026, 11, 3), ["PAT+1++5:3:D:1", "DTM+13:20261103:102"]),
        (date(2026, 11, 2), ["PAT+3", "DTM+13:20261102:102"]),
        (date(2030, 1, 1), ["PAT+3", "DTM+13:20300101:102"]),
        (None, []),
    ],
)
def test_terms_have_days_where_they_fit_and_always_the_date(make_invoice, due, expected):
    found = segments(make_invoice(due_date=due))
    assert starting("PAT", found) + starting("DTM+13:", found) == expected


def test_delivery_and_payee_are_parties(make_invoice):
    delivery = Delivery(
        date(2026, 11, 1),
        Address("Havnen 1", None, "Odense C", "5000", None, "DK"),
        "Lageret",
        Participant(GLN, "5790000000036"),
    )
    found = segments(make_invoice(delivery=delivery, payee=Payee("Finans A/S", "34567891")))
    assert "DTM+35:20261101:102" in found
    assert starting("NAD+DP", found) == ["NAD+DP+5790000000036::9++Lageret+Havnen 1+Odense C++5000+DK"]
    at = found.index("NAD+PE+++Finans A/S")
    assert found[at + 1] == "RFF+XA:34567891"


def test_without_addresses_parties_are_known_by_gln_alone(make_invoice):
    found = segments(make_invoice(), profile="eancom-gln", invoiceeGln="5790000000036")
    assert starting("NAD", found) == [
        f"NAD+SU+{SENDER}::9", f"NAD+BY+{RECEIVER}::9", "NAD+IV+5790000000036::9", f"NAD+DP+{RECEIVER}::9",
    ]  # fmt: skip
    assert starting("CTA", found) == []


def test_danish_retail_names_invoicee_and_place_of_delivery_always(make_invoice):
    found = segments(make_invoice(), profile="dk-retail")
    assert starting("NAD+IV", found) == [f"NAD+IV+{RECEIVER}::9"]
    assert starting("NAD+DP", found) == [f"NAD+DP+{RECEIVER}::9"]
    assert starting("PAI", found) + starting("FII", found) + starting("RFF+PQ", found) == []


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        (PaymentMeans(PaymentMeansCode.SEPA, "2042", "DK5000400440116243", "POLRDKKK"),
         ["PAI+::30", "RFF+PQ:2042", "FII+RB+DK5000400440116243+POLRDKKK:25:5"]),
        (PaymentMeans(PaymentMeansCode.FIK, "71#000000000020420", "81234567"),
         ["PAI+::50", "RFF+PQ:71#000000000020420", "FII+RB+81234567"]),
        (PaymentMeans(PaymentMeansCode.CARD, card_number="1234"), ["PAI+::1"]),
    ],
)  # fmt: skip
def test_ways_to_pay_are_written_in_the_codes_of_1996(make_invoice, means, expected):
    found = segments(make_invoice(payment=(means,)))
    assert starting("PAI", found) + starting("RFF+PQ", found) + starting("FII", found) == expected


def test_the_contact_stands_with_telephone_and_mail(make_invoice, invoice):
    buyer = replace(invoice.buyer, contact=Contact(None, None, "+45 66", "m@x.example"))
    found = segments(make_invoice(buyer=buyer))
    at = found.index("CTA+IC", found.index(starting("NAD+BY", found)[0]))
    assert found[at + 1 : at + 3] == ["COM+?+45 66:TE", "COM+m@x.example:EM"]


@pytest.mark.parametrize(("characters", "expected"), [("UNOC", ["COM+ida@v.example:EM"]), ("UNOB", []), ("UNOA", [])])
def test_a_mail_address_stands_only_where_the_set_has_its_sign(make_invoice, characters, expected):
    found = segments(make_invoice(), characterSet=characters)
    assert starting("COM", found) == expected


def test_a_contact_of_whom_nothing_can_be_written_leaves_no_segment(make_invoice, invoice):
    buyer = replace(invoice.buyer, contact=Contact(None, "Ελλάς", None, "m@x.example"))
    found = segments(make_invoice(buyer=buyer), characterSet="UNOB")
    assert starting("CTA", found) == ["CTA+IC+:Ida"]


@pytest.mark.parametrize(
    ("payment_id", "characters", "expected"),
    [
        ("71#000000000020420", "UNOC", ["RFF+PQ:71#000000000020420"]),
        ("71#000000000020420", "UNOB", ["RFF+PQ:?+71<000000000020420"]),
        ("73#", "UNOA", ["RFF+PQ:?+73<"]),
        ("Kunde_7", "UNOC", ["RFF+PQ:Kunde_7"]),
        ("Kunde_7", "UNOB", []),
        ("Kunde 7", "UNOA", ["RFF+PQ:KUNDE 7"]),
    ],
)
def test_a_payment_reference_is_written_so_that_the_set_carries_it_or_not_at_all(
    make_invoice, payment_id, characters, expected
):
    means = PaymentMeans(PaymentMeansCode.FIK, payment_id, "81234567")
    sale = make_invoice(payment=(means,), number="7", order_reference=None)
    content = FORMAT.write(sale, FORMAT.parameters({"senderGln": SENDER, "characterSet": characters}))
    assert starting("RFF+PQ", readable(content).split("'\n")) == expected
    read = FORMAT.reader(content).payment[0].payment_id
    assert (read or "").lower() == (payment_id.lower() if expected else "")


@pytest.mark.parametrize("characters", ["UNOA", "UNOB", "UNOC"])
@pytest.mark.parametrize("password", ["p@ss_w0rd12345", "to  blanke", "hemmelig"])
def test_the_recipients_password_is_never_changed(invoice, characters, password):
    options = {"senderGln": SENDER, "recipientReference": password, "characterSet": characters}
    content = FORMAT.write(invoice, FORMAT.parameters(options))
    assert parse(content)[0].get(5) == password


def test_a_text_that_the_set_lacks_altogether_leaves_no_empty_segment(make_invoice):
    found = segments(make_invoice(note="🎉", order_reference="🎉", payment_terms="日本"))
    assert starting("FTX", found) + starting("RFF+ON", found) == []


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        ({}, None),
        ({"senderGln": SENDER}, (SENDER, RECEIVER)),
        ({"senderGln": SENDER, "receiverGln": "5790000000029"}, (SENDER, "5790000000029")),
    ],
)
def test_interchanges_are_numbered_between_the_two_mailboxes(invoice, options, ends):
    assert FORMAT.route(invoice, FORMAT.parameters(options).options) == ends


def test_the_companys_own_gln_is_the_sender(invoice):
    seller = replace(invoice.seller, identifiers=(Participant(GLN, SENDER),))
    assert FORMAT.route(replace(invoice, seller=seller), {}) == (SENDER, RECEIVER)


def test_a_megabyte_without_a_blank_is_cut_like_any_text(make_invoice):
    found = segments(make_invoice(note="æ" * 1_000_000, lines=(one_line(item=Item("ø" * 1_000_000)),)))
    assert len(starting("FTX", found)) == 6
    assert len(starting("IMD", found)) == 4
