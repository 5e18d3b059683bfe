"""Billy's own order number, else one in a text, else the settings; and what the accountant is told."""

from __future__ import annotations

from typing import Any

import pytest

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.number_patterns import find
from invoiceapp.domain.settings import CustomerSettings
from invoiceapp.sources.billy.order_numbers import order_number

PATTERN = "4500######"


def read(
    invoice: dict[str, Any], products: dict[str, Any] | None = None, **chosen: Any
) -> tuple[str | None, list[Finding]]:
    findings: list[Finding] = []
    number = order_number(
        {"invoiceNo": "1042", "lines": [], **invoice}, products or {}, CustomerSettings(**chosen), findings
    )
    return number, findings


def rules(findings: list[Finding]) -> list[str]:
    return [f"{finding.rule}:{finding.severity.value}" for finding in findings]


@pytest.mark.parametrize("policy", ["optional", "required", "not-applicable"])
def test_billys_own_number_goes_before_everything(policy):
    text = {"orderNo": " 4500111111 ", "contactMessage": "ordre 4500222222"}
    number, findings = read(text, order_number="fast", order_number_pattern=PATTERN, order_number_policy=policy)
    assert (number, findings) == ("4500111111", [])


@pytest.mark.parametrize(
    ("invoice", "products", "number"),
    [
        ({"contactMessage": "Vedr.\nordre 4500123456,\ntak"}, {}, "4500123456"),
        ({"lines": [{"description": "se 4500123456"}]}, {}, "4500123456"),
        ({"lines": [{"productId": "p"}]}, {"p": {"name": "Jf. 4500123456"}}, "4500123456"),
        ({"contactMessage": "45001234567"}, {}, None),
        ({"contactMessage": None, "lines": [{"description": 4500123456}]}, {}, "4500123456"),
    ],
)
def test_a_number_is_found_in_the_texts_of_the_document(invoice, products, number):
    found, findings = read(invoice, products, order_number_pattern=PATTERN)
    assert found == number
    assert rules(findings) == (["IA-ORDER-NUMBER-FOUND:info"] if number else [])


def test_the_text_on_top_comes_first_then_the_lines_as_they_are_printed():
    lines = [
        {"priority": 2, "description": "4500000003"},
        {"priority": 1, "description": "4500000002", "productId": "p"},
    ]
    products = {"p": {"name": "4500000001"}}
    assert (
        read({"contactMessage": "4500000000", "lines": lines}, products, order_number_pattern=PATTERN)[0]
        == "4500000000"
    )
    assert read({"lines": lines}, products, order_number_pattern=PATTERN)[0] == "4500000001"
    assert read({"lines": lines}, {}, order_number_pattern=PATTERN)[0] == "4500000002"


def test_a_number_that_was_found_is_told_with_the_words_around_it_and_can_be_found_there_again():
    message = "ord " * 50 + "nr. 994500123456 og ordre 4500123456, tak " + "hilsen " * 50
    number, [told] = read({"contactMessage": message}, order_number_pattern=PATTERN)
    assert number == "4500123456"
    assert "4500123456" in told.text.da and "4500123456" in told.text.en
    assert told.location is not None and len(told.location) < 200
    assert find(PATTERN, [told.location]) == number


@pytest.mark.parametrize(
    ("policy", "fixed", "number", "told"),
    [
        ("optional", None, None, []),
        ("optional", "fast", "fast", []),
        ("required", "fast", "fast", []),
        ("required", None, None, ["IA-ORDER-NUMBER:fatal"]),
        ("not-applicable", None, "NA", []),
        ("not-applicable", "fast", "fast", []),
    ],
)
@pytest.mark.parametrize("pattern", [None, PATTERN])
def test_without_a_number_the_settings_decide(policy, fixed, number, told, pattern):
    found, findings = read({}, order_number_policy=policy, order_number=fixed, order_number_pattern=pattern)
    assert found == number
    assert rules(findings) == told


@pytest.mark.parametrize(
    ("kind", "word"), [("invoice", "Faktura 1042"), ("creditNote", "Kreditnota 1042"), (None, "Faktura 1042")]
)
def test_a_missing_number_is_told_with_the_document_and_where_to_write_it(kind, word):
    _, [told] = read({"type": kind}, order_number_policy="required", order_number_pattern=PATTERN)
    assert (told.turn, told.term, told.fix) == ("source", "BT-13", "customer.orderNumber")
    assert told.text.da.startswith(f"{word} har intet ordrenummer, og der er intet i")
    assert PATTERN in told.text.da and PATTERN in told.text.en


@pytest.mark.parametrize(
    ("policy", "own", "told"),
    [
        ("required", "PO-1", ["IA-ORDER-NUMBER-FORM:warning"]),
        ("required", "4500123456", []),
        ("optional", "PO-1", []),
        ("not-applicable", "PO-1", []),
    ],
)
def test_a_number_of_another_form_than_the_customers_is_told_where_one_is_required(policy, own, told):
    number, findings = read({"orderNo": own}, order_number_policy=policy, order_number_pattern=PATTERN)
    assert number == own
    assert rules(findings) == told
