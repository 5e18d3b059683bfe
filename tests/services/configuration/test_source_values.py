from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
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
