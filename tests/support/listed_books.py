"""Billy's lists in this process, without a wire: books that change between two requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.sources.base import NotFound
from invoiceapp.sources.billy.client import BillyClient

_BEGIN = datetime(2026, 1, 5, 9)
_CUSTOMERS = 4


class ListedBooks(BillyClient):
    """A client whose answers come from ``invoices``; ``before`` is called with the path of each request."""

    def __init__(self, count: int) -> None:
        super().__init__("token")
        self.invoices: dict[str, dict[str, Any]] = {}
        self.before: Callable[[str], None] = lambda _path: None
        self.asked: list[str] = []
        for _ in range(count):
            self.book()

    def book(self, **changes: Any) -> str:
        """Approve one more invoice, three hours after the last one; its id."""
        number = len(self.invoices) + 1
        at = _BEGIN + timedelta(hours=3 * number)
        record = {
            "id": f"inv{number:04}", "type": "creditNote" if number % 5 == 0 else "invoice", "state": "approved",
            "invoiceNo": str(1000 + number), "entryDate": at.date().isoformat(), "approvedTime": at.isoformat(),
            "contactId": f"c{number % _CUSTOMERS}", "attContactPersonId": None, "currencyId": "DKK", "amount": 100,
            "tax": 25, "orderNo": "", "bankAccountId": None, "creditedInvoiceId": None,
            "lines": [{"id": f"l{number}", "productId": None, "quantity": 1, "unitPrice": 100, "taxRateId": "sales25"}],
        } | changes  # fmt: skip
        self.invoices[record["id"]] = record
        return str(record["id"])

    def _json(self, path: str, params: Mapping[str, str] | None) -> dict[str, Any]:
        self.asked.append(path)
        self.before(path)
        match path.strip("/").split("/"):
            case ["organization"]:
                return {
                    "organization": {"id": "org", "name": "Eksempel ApS", "countryId": "DK", "baseCurrencyId": "DKK"}
                }
            case ["taxRates"]:
                rate = {"id": "sales25", "name": "Salgsmoms", "rate": 0.25, "appliesToSales": True}
                return {"taxRates": [rate]}
            case ["contacts"]:
                return {"contacts": [_contact(number) for number in range(_CUSTOMERS)]}
            case ["invoices"]:
                return self._listed(params or {})
            case ["invoices", key] if key in self.invoices:
                return {"invoice": self.invoices[key], "contacts": [_contact(number) for number in range(_CUSTOMERS)]}
        raise NotFound(Text("Findes ikke", "Not found"), path)

    def _listed(self, params: Mapping[str, str]) -> dict[str, Any]:
        since = params.get("minApprovedTime", "").replace(" ", "T")
        found = [one for one in self.invoices.values() if one["state"] == "approved" and one["approvedTime"] >= since]
        found.sort(key=lambda one: one["approvedTime"])
        page, size = int(params["page"]), int(params["pageSize"])
        paging = {"page": page, "pageCount": -(-len(found) // size), "pageSize": size, "total": len(found)}
        contacts = [_contact(number) for number in range(_CUSTOMERS)]
        return {"invoices": found[(page - 1) * size : page * size], "contacts": contacts, "meta": {"paging": paging}}


def _contact(number: int) -> dict[str, Any]:
    return {
        "id": f"c{number}", "name": f"Kunde {number}", "countryId": "DK", "isCustomer": True, "isArchived": False,
        "ean": "5798000000001",
    }  # fmt: skip
