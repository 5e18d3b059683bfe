from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

from invoiceapp.models import Adaptor, Document, Gateway, Stage

Make = Callable[..., Any]


def test_without_a_source_the_page_leads_to_it(signed_in: FlaskClient) -> None:
    assert 'href="/source"' in signed_in.get("/customers").text


def test_a_connected_source_without_customers_offers_to_read_them(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    assert f'action="/customers/{adaptor.id}/read"' in signed_in.get("/customers").text


def test_activating_says_that_older_documents_go_by_manual_export_only(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make,
    make_document: Callable[..., Document], make_schedule: Make, submit: Any,
) -> None:  # fmt: skip
    customer = make_customer("A", active=None)
    make_schedule()
    data = {"ids": [customer.id], "format": "oioubl-2.1", "gateway": gateway.id}
    path = f"/customers/{adaptor.id}/activate"
    assert "Manuel eksport.</div>" not in submit(signed_in, path, data, follow_redirects=True).text
    for number in "12":
        make_document(customer, number, stage=Stage.LISTED)
    told = "2 ældre dokumenter sendes ikke af sig selv: vælg dem under Manuel eksport."
    assert told in submit(signed_in, path, data, follow_redirects=True).text
    assert told in submit(signed_in, f"/customers/{customer.id}/rule", data, follow_redirects=True).text
