"""A valid value for every setting, and what must be set beside it for that value to be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .values import GLNS

Stored = dict[str, Any]


@dataclass(frozen=True)
class Try:
    """One setting: two values as they are stored; the first is not the default."""

    value: Any
    other: Any
    given: Mapping[str, Stored] = field(default_factory=dict)
    """Settings that hold before and after, by group"""
    invoice: Mapping[str, Any] = field(default_factory=dict)
    """Of the invoice's record before and after"""


def _paid(method: str, **supplier: Any) -> Mapping[str, Stored]:
    return {"supplier": {"paymentMethod": method, **supplier}}


def _gln(value: str) -> Stored:
    return {"scheme": "0088", "value": value}


_BANK = {"bankRegistration": "0040", "bankAccount": "0440116243"}
_IBAN = {"iban": "DK5000400440116243"}
_DEBIT = {"mandate": "AFT-17", "payerAccount": "DK5000400440116243"}
_CARD = {"customer": {"cardNumber": "1234", "cardNetwork": "VISA"}}

#: By ``<group>.<name>``.
VALUES: Mapping[str, Try] = {
    "general.documentTypes": Try("invoices", "credit-notes"),
    "general.alreadyMailed": Try("skip", "send"),
    "general.alreadyEinvoiced": Try("warn", "send"),
    "general.alreadyElsewhere": Try("warn", "send"),
    "general.holdMinutes": Try(60, 90),
    "general.approveFirst": Try(True, False),
    "general.embedPdf": Try(True, False),
    "general.note": Try("Fast tekst", "En anden tekst"),
    "general.paymentTerms": Try("Løbende måned + 14 dage", "Kontant"),
    "general.attachmentBudget": Try(1, 2, {"general": {"embedPdf": True}}),
    "general.invoicingPeriod": Try("month", "previous-month"),
    "general.deliveryDate": Try("issue-date", "none"),
    "general.productNumberIsGtin": Try(True, False),
    "general.roundingLimit": Try(Decimal("0.75"), "1"),
    "supplier.endpoint": Try(_gln(GLNS[0]), _gln(GLNS[1])),
    "supplier.name": Try("Nyt Værksted A/S", "Et andet"),
    "supplier.street": Try("Nygade 1", "Nygade 2"),
    "supplier.postalCode": Try("8000", "9000"),
    "supplier.city": Try("Aarhus C", "Aalborg"),
    "supplier.vatNumber": Try("DK10150817", "DK12345674"),
    "supplier.contactName": Try("Ida Lund", "Bo Vang"),
    "supplier.phone": Try("87654321", "12345678"),
    "supplier.email": Try("salg@vaerkstedet.example", "ida@vaerkstedet.example"),
    "supplier.gln": Try(GLNS[2], GLNS[3]),
    "supplier.legalForm": Try("Aktiekapital 400.000 kr.", "Iværksætterselskab"),
    "supplier.paymentMethod": Try("iban", "bank", {"supplier": {**_BANK, **_IBAN}}),
    "supplier.bankRegistration": Try("9570", "1551", _paid("bank", **_BANK)),
    "supplier.bankAccount": Try("12345678", "87654321", _paid("bank", **_BANK)),
    "supplier.iban": Try("DE89370400440532013000", "SE4550000000058398257466", _paid("iban", bic="DEUTDEFF500")),
    "supplier.bic": Try("DEUTDEFF", "NDEADKKK", _paid("iban", **_IBAN)),
    "supplier.fikCreditor": Try("87654321", "81234567", _paid("fik-71", fikCreditor="81234567")),
    "supplier.giroAccount": Try("7654321", "1234567", _paid("giro-01", giroAccount="1234567")),
    "supplier.payeeName": Try("Ny Factoring A/S", "En anden bank"),
    "supplier.payeeCvr": Try("10150817", "34567891", {"supplier": {"payeeName": "Nordisk Factoring A/S"}}),
    "customer.endpoint": Try(_gln(GLNS[4]), {"scheme": "0184", "value": "12345674"}),
    "customer.buyerReference": Try("Afd. 12", "Afd. 13"),
    "customer.orderNumberPolicy": Try("not-applicable", "optional", {}, {"orderNo": None}),
    "customer.orderNumberPattern": Try("4500######", "PO: [####]", {}, {"orderNo": None}),
    "customer.orderNumber": Try("PO-77", "PO-78", {}, {"orderNo": None}),
    "customer.accountingCost": Try("4411-22", "4411-23"),
    "customer.contractReference": Try("AFT-1", "AFT-2"),
    "customer.projectReference": Try("PROJ-1", "PROJ-2"),
    "customer.unspsc": Try("43211503", "44121600"),
    "customer.name": Try("Storgade Skole", "En anden skole"),
    "customer.street": Try("Storgade 8", "Storgade 9"),
    "customer.postalCode": Try("8000", "9000"),
    "customer.city": Try("Aarhus C", "Aalborg"),
    "customer.country": Try("SE", "DE"),
    "customer.vatNumber": Try("SE556703748501", "DE123456788"),
    "customer.contactName": Try("Hans Holm", "Karen Krag"),
    "customer.email": Try("regnskab@skolen.example", "hans@skolen.example"),
    "customer.gln": Try(GLNS[5], GLNS[6]),
    "customer.deliveryName": Try("Lager 3", "Lager 4"),
    "customer.deliveryGln": Try(GLNS[7], GLNS[8]),
    "customer.deliveryStreet": Try("Havnen 1", "Havnen 2"),
    "customer.deliveryPostalCode": Try("5700", "9900"),
    "customer.deliveryCity": Try("Svendborg", "Skagen"),
    "customer.deliveryCountry": Try("SE", "NO"),
    "customer.mandate": Try("AFT-99", "AFT-98", {**_paid("sepa-direct-debit", **_IBAN), "customer": _DEBIT}),
    "customer.payerAccount": Try(
        "DE89370400440532013000", "SE4550000000058398257466",
        {**_paid("sepa-direct-debit", **_IBAN), "customer": _DEBIT},
    ),
    "customer.cardNumber": Try("9876", "5432", {**_paid("card"), **_CARD}),
    "customer.cardNetwork": Try("MASTERCARD", "DANKORT", {**_paid("card"), **_CARD}),
    "gateway.fileName": Try("{type}-{number}", "{date}-{number}"),
    "gateway.receiverEmail": Try("faktura@skolen.example", "post@skolen.example"),
}  # fmt: skip
