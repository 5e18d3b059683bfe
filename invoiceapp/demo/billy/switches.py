"""What only a stand-in has: fault switches, and new or voided invoices on demand. No token needed."""

from __future__ import annotations

from flask import Flask, Response, request

from .errors import ApiError, json_response, not_found
from .faults import Faults
from .records import loads
from .store import Store


def add_switches(app: Flask, store: Store, faults: Faults) -> None:
    """Add ``/_demo/faults`` (GET, PUT), ``/_demo/book`` (POST) and ``/_demo/void/<id>`` (POST)."""

    def read_faults() -> Response:
        return json_response({"faults": faults.as_dict()})

    def change_faults() -> Response:
        try:
            changes = loads(request.get_data())
            faults.update(changes)
        except (ValueError, AttributeError) as error:
            raise ApiError(400, "INVALID_REQUEST_BODY", f"Not a set of fault switches: {error}") from error
        return read_faults()

    def book() -> Response:
        return json_response({"invoice": store.book_random()})

    def void(key: str) -> Response:
        invoice = store.void(key)
        if invoice is None:
            raise not_found("invoice", key)
        return json_response({"invoice": invoice})

    app.add_url_rule("/_demo/faults", "read_faults", read_faults)
    app.add_url_rule("/_demo/faults", "change_faults", change_faults, methods=["PUT"])
    app.add_url_rule("/_demo/book", "book", book, methods=["POST"])
    app.add_url_rule("/_demo/void/<key>", "void", void, methods=["POST"])
