"""The evidence card: ids and facts under names that an accountant can read out to the receiver."""

from __future__ import annotations

import re
from typing import Any

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Attempt, Receipt, Rendition, db

S = DeliveryState


@pytest.fixture
def row(make_customer: Any, make_document: Any, make_delivery: Any) -> Any:
    """A delivery whose outcome is unknown."""
    document = make_document(make_customer("Fjordby Kommune"), "1001")
    rendition = Rendition(
        subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3", sha256="0" * 64, size=1,
        media_type="application/xml", filename="invoice-1001.xml", rule_sets=[], missing_rule_sets=[], findings=[],
    )  # fmt: skip
    db.session.add(rendition)
    db.session.flush()
    return make_delivery(document, S.OUTCOME_UNKNOWN, rendition_id=rendition.id)


def _tried(row: Any, **columns: Any) -> None:
    db.session.add(Attempt(delivery_id=row.id, number=1, fence=1, **columns))
    db.session.commit()


def _got(row: Any, **evidence: Any) -> None:
    db.session.add(Receipt(delivery_id=row.id, kind="wire", reference="R-1", evidence=evidence))
    db.session.commit()


def _page(signed_in: Any, row: Any) -> str:
    return str(signed_in.get(f"/documents/{row.document_id}").text)


def _facts(html: str) -> dict[str, str]:
    found = re.findall(r'<dt class="datagrid-title">(.*?)</dt>\s*<dd class="datagrid-content">(.*?)</dd>', html)
    return dict(found)


def test_each_attempt_shows_its_ids_under_readable_names(signed_in, row):
    _tried(row, outcome="unknown", wire_ids={"filename": "invoice_1001_ab.xml", "message_id": "<ab@x>", "odd_id": "7"})
    shown = re.findall(r'<span class="text-secondary">(.*?):</span> <code>(.*?)</code>', _page(signed_in, row))
    assert shown == [
        ("File name", "invoice_1001_ab.xml"),
        ("Message-ID", "&lt;ab@x&gt;"),
        ("<code>odd_id</code>", "7"),
    ]


def test_an_attempt_that_succeeded_is_called_as_its_state_is(signed_in, row):
    _tried(row, outcome="accepted")
    assert '<td data-label="Outcome">Handed over</td>' in _page(signed_in, row)


def test_the_facts_of_a_receipt_have_readable_names_and_values(signed_in, row):
    _got(row, reply="250 ok", size=77, already_there=False, verdict="arrived", signed_by=None)
    facts = _facts(_page(signed_in, row))
    expected = {
        "The server's answer": "250 ok",
        "Size in bytes": "77",
        "Was there already": "No",
        "Outcome": "Received",
        "Signed with the certificate": "–",
    }
    assert {label.replace("&#39;", "'"): value for label, value in facts.items()}.items() >= expected.items()


def test_a_fact_without_a_name_of_ours_stays_as_it_is_and_is_escaped(signed_in, row):
    _got(row, **{"x_<b>": {"a": 1}})
    assert _facts(_page(signed_in, row))["<code>x_&lt;b&gt;</code>"] == "{&#34;a&#34;:1}"


def test_the_facts_lead_to_the_gateway_for_members_too(member, row):
    html = _page(member, row)
    assert f'<a href="/gateways/{row.gateway_id}"><bdi>{row.gateway.name}</bdi></a>' in html
    assert member.get(f"/gateways/{row.gateway_id}").status_code == 200
