"""How often Billy is asked for a page of documents: as often for many as for few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from invoiceapp.sources.base import DocumentQuery
from invoiceapp.sources.billy.source import BillySource

pytestmark = pytest.mark.server

Make = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("count", [2, BillySource.PAGE_SIZE])
@pytest.mark.parametrize(("products", "lookups"), [(1, 1), (40, 1)])
def test_a_page_takes_the_same_calls_whatever_it_holds(
    source: BillySource, billy: Any, make_invoice: Make, make_line: Make, count: int, products: int, lookups: int
) -> None:
    names = [f"product{number}" for number in range(products)]
    lines = [make_line(id=name, productId=name) for name in names]
    for name in names:
        billy.on(f"/products/{name}", {"product": {"id": name}})
    billy.on("/products", {"products": [{"id": name} for name in names]})
    invoices = [make_invoice(id=f"inv{number}", lines=lines) for number in range(count)]
    paging = {"meta": {"paging": {"pageCount": 1, "total": count}}}
    billy.on("/invoices", {"invoices": invoices, **paging})
    assert len(list(source.documents(DocumentQuery()))) == count
    shared = {"/organization", "/taxRates", "/accounts/bank1", "/contacts/kommune"}
    asked = [path for path in billy.paths() if not path.startswith("/products")]
    assert sorted(asked) == sorted(["/invoices", *shared])
    assert len(billy.paths()) - len(asked) == lookups
