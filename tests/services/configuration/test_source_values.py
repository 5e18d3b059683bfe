from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant, is_valid_iban
from invoiceapp.models import Adaptor, Document
from invoiceapp.services.configuration import source_values
from invoiceapp.sources.base import UnusableBundle
from invoiceapp.sources.billy.source import BillySource


def test_without_documents_the_customer_row_and_the_company_tell_what_is_known(
    adaptor: Adaptor, make_customer: Callable[..., Any]
) -> None:
    customer = make_customer("Bageren", gln=None, registration_no="DK 12 34 56 74", city="Viborg")
    assert source_values.of_supplier(adaptor) == {"name": "Eksempel ApS"}
    assert source_values.of_customer(adaptor, customer) == {
        "endpoint": Participant("0184", "12345674"), "name": "Bageren", "city": "Viborg", "country": "DK",
    }  # fmt: skip


def test_a_document_that_cannot_be_converted_spoils_nothing(
    adaptor: Adaptor, make_customer: Callable[..., Any], make_document: Callable[..., Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def unusable(*_: object) -> None:
        raise UnusableBundle(Text("Kladde", "Draft"))

    monkeypatch.setattr(BillySource, "convert", unusable)
    customer = make_customer("Bageren")
    make_document(customer)
    assert source_values.of_customer(adaptor, customer)["name"] == "Bageren"


@pytest.fixture
def company() -> Company:
    return demo_company(date(2026, 11, 22))


def test_both_accounts_of_the_books_are_shown_whichever_the_newest_invoice_carries(
    adaptor: Adaptor, make_customer: Callable[..., Any], make_document: Callable[..., Document], company: Company
) -> None:
    make_document(make_customer("Bageren"), bundle=company.bundle(company.hard_cases["late_fee"]))
    known = source_values.of_supplier(adaptor)
    assert re.fullmatch(r"\d{4}", known["bankRegistration"])
    assert known["bankAccount"].isdigit()
    assert is_valid_iban(known["iban"])


def test_the_customers_ean_number_and_the_country_of_delivery_are_shown(
    adaptor: Adaptor, make_customer: Callable[..., Any], make_document: Callable[..., Document], company: Company
) -> None:
    customer = make_customer("Skolen", gln="5798009811578")
    assert source_values.of_customer(adaptor, customer)["gln"] == "5798009811578"
    make_document(customer, bundle=company.bundle(company.hard_cases["intra_community"]))
    assert source_values.of_customer(adaptor, customer)["deliveryCountry"] == "DE"


def test_the_gateways_own_file_name_and_the_address_in_the_books_are_shown(
    make_customer: Callable[..., Any],
) -> None:
    customer = make_customer("Bageren", email="post@bageren.example")
    assert source_values.of_gateway(customer, customer.rule.gateway)["receiverEmail"] == "post@bageren.example"
    customer.rule.gateway.config = {"filename": "{number}"}
    assert source_values.of_gateway(customer, customer.rule.gateway)["fileName"] == "{number}"
    customer.email = None
    assert source_values.of_gateway(customer, None) == {}
