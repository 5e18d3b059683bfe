"""A small invoice that every rule likes, the demo company, and validators that are compiled once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.invoice import DocumentType, Invoice, Item, Line, PaymentMeans, PaymentMeansCode
from invoiceapp.domain.parties import Address, Contact, Party
from invoiceapp.domain.tax import VatCategory, VatClass
from invoiceapp.domain.totals import document_totals, vat_breakdown
from invoiceapp.formats.validation.validator import Validator

STANDARD = VatClass(VatCategory.STANDARD, Decimal(25))


def _lines() -> tuple[Line, ...]:
    return (
        Line("1", Decimal(2), "HUR", Decimal("900.00"), Decimal(450), STANDARD, Item("Reparation", "Cykel", "R-1")),
        Line("2", Decimal("2.5"), "EA", Decimal("83.33"), Decimal("33.33"), STANDARD, Item("Reservedel")),
    )


@pytest.fixture
def make_invoice() -> Callable[..., Invoice]:
    """``make_invoice(**fields)``: breakdown and totals follow from ``lines``."""

    def make(**fields: Any) -> Invoice:
        lines = fields.pop("lines", _lines())
        vat = vat_breakdown(lines)
        invoice = Invoice(
            source_id="org:inv",
            type=DocumentType.INVOICE,
            number="2042",
            issue_date=date(2026, 11, 2),
            currency="DKK",
            seller=Party(
                "Værkstedet ApS", Participant(CVR, "12345674"), "Værkstedet ApS", "12345674", CVR, "DK12345674",
                Address("Lillestræde 4", None, "Odense C", "5000", None, "DK"), Contact(name="Ida", email="ida@v.example"),
            ),
            buyer=Party(
                "Skolen", Participant(GLN, "5798009811578"), None, "10150817", CVR, None,
                Address("Skolevej 9", None, "Odense C", "5000", None, "DK"), Contact(id="Mette", name="Mette"),
            ),
            lines=lines,
            vat=vat,
            totals=document_totals(lines, vat),
            due_date=date(2026, 11, 16),
            buyer_reference="Mette",
            order_reference="PO-1881",
            payment=(PaymentMeans(PaymentMeansCode.BANK_ACCOUNT, "2042", "0440116243", "0040"),),
        )  # fmt: skip
        return replace(invoice, **fields)

    return make


@pytest.fixture
def invoice(make_invoice: Callable[..., Invoice]) -> Invoice:
    return make_invoice()


@pytest.fixture(scope="session")
def company() -> Company:
    return demo_company(date(2026, 11, 22))


@pytest.fixture(scope="session")
def validator() -> Validator:
    """XSD and EN 16931, which every installation has."""
    return Validator(None)


@pytest.fixture(scope="session")
def official() -> Validator:
    """All official rule packs; skips where they are not installed."""
    folder = os.environ.get("TEST_RULES_DIR") or os.environ.get("RULES_DIR")
    if not folder or not any((Path(folder) / pack).is_dir() for pack in ("peppol", "oioubl")):
        pytest.skip("no official rule packs: set TEST_RULES_DIR to a folder with peppol/<version> and oioubl/<version>")
    return Validator(Path(folder))
