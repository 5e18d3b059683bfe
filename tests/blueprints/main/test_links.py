"""Where each field to mend is, on the pages that are really rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from invoiceapp.blueprints.main.links import fix_link
from invoiceapp.domain.settings import fields_of
from invoiceapp.formats.base import Format
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Customer, Document, db


@pytest.fixture(autouse=True)
def editor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is signed in where the links are asked for."""
    monkeypatch.setattr("invoiceapp.blueprints.main.links.may_configure", lambda _row: True)


WITH_OPTIONS = [fmt for fmt in formats().values() if fmt.options]


def link(app: Flask, fix: str | None, document: Document, **options: bool) -> str | None:
    # A context of its own: the visitor of this request must not be remembered for the pages that follow.
    with app.app_context(), app.test_request_context():
        found = fix_link(fix, document.id, document.customer_id, **options)
        return found.url if found else None


def lost(app: Flask, client: FlaskClient, document: Document, fixes: Iterable[str]) -> list[str]:
    """The fields whose links do not lead to an input on the page that they name."""
    pages: dict[str, str] = {}
    found = []
    for fix in fixes:
        path, _, anchor = (link(app, fix, document) or "").partition("#")
        if path not in pages:
            answer = client.get(path)
            assert answer.status_code == 200, path
            pages[path] = answer.text
        if not anchor or f'id="{anchor}"' not in pages[path]:
            found.append(fix)
    return found


@pytest.fixture
def document(make_customer: Callable[..., Customer], make_document: Callable[..., Document]) -> Document:
    return make_document(make_customer())


def fixes(*groups: str) -> list[str]:
    return [f"{group}.{field.name}" for group in groups for field in fields_of(group)]


def test_every_setting_of_a_customer_is_found_by_its_link(
    app: Flask, signed_in: FlaskClient, document: Document
) -> None:
    found = [*fixes("customer", "gateway"), "customer.format", "customer.gateway"]
    assert lost(app, signed_in, document, found) == []
    place = f"/customers/{document.customer_id}?group=customer#field-customer.country"
    assert link(app, "customer.country", document) == place


def test_format_and_gateway_of_a_customer_without_a_rule_are_found_too(
    app: Flask, signed_in: FlaskClient, make_customer: Callable[..., Customer], make_document: Callable[..., Document]
) -> None:
    document = make_document(make_customer(active=None))
    assert lost(app, signed_in, document, ["customer.format", "customer.gateway", "customer.endpoint"]) == []


def test_every_common_setting_is_found_by_its_link(app: Flask, signed_in: FlaskClient, document: Document) -> None:
    found = [*fixes("supplier", "general"), "gateway.fileName"]
    document.customer_id = None
    assert lost(app, signed_in, document, found) == []


def test_a_setting_is_found_on_the_page_of_the_documents_own_adaptor(app: Flask, document: Document) -> None:
    place = f"/settings?group=supplier&adaptor={document.adaptor_id}#field-supplier.name"
    assert link(app, "supplier.name", document) == place
    assert link(app, "general.holdMinutes", document) == (
        f"/adaptors/general?adaptor={document.adaptor_id}#field-general.holdMinutes"
    )


def test_an_unmapped_rate_leads_to_the_vat_page(app: Flask, document: Document) -> None:
    assert link(app, "vat", document) == f"/vat?adaptor={document.adaptor_id}#field-vat"


@pytest.mark.parametrize("fmt", WITH_OPTIONS, ids=lambda fmt: fmt.id)
def test_every_option_of_a_format_is_found_on_the_page_of_a_customer_that_has_it(
    app: Flask, signed_in: FlaskClient, document: Document, fmt: Format
) -> None:
    db.session.get_one(Customer, document.customer_id).rule.format = fmt.id
    db.session.commit()
    assert lost(app, signed_in, document, [f"formats.{fmt.id}.{option.name}" for option in fmt.options]) == []


def test_what_is_mended_in_billy_leads_to_where_it_is_shown(app: Flask, document: Document) -> None:
    assert link(app, "source.contact", document) == f"/customers/{document.customer_id}"
    assert link(app, "source.organization", document) == f"/source?adaptor={document.adaptor_id}"
    assert link(app, "source.invoice", document) == f"/documents/{document.id}"


@pytest.mark.parametrize("fix", ["source.invoice", "supplies.name", "invoice", "customer", "."])
def test_an_unknown_field_leads_to_the_document_and_from_there_nowhere(
    app: Flask, document: Document, fix: str
) -> None:
    document.customer_id = None if fix == "customer" else document.customer_id
    assert link(app, fix, document) == f"/documents/{document.id}"
    assert link(app, fix, document, on_document=True) is None


@pytest.mark.parametrize("fix", [None, ""])
def test_without_a_field_there_is_no_link(app: Flask, document: Document, fix: str | None) -> None:
    assert link(app, fix, document) is None


@pytest.mark.parametrize("fix", ["customer.country", "formats.x.y", "source.contact"])
def test_a_document_without_a_customer_leads_to_itself(app: Flask, document: Document, fix: str) -> None:
    document.customer_id = None
    assert link(app, fix, document) == f"/documents/{document.id}"


def test_a_gateway_is_mended_on_its_page(app: Flask, document: Document) -> None:
    assert link(app, "gateway.host_key", document) == "/gateways"
