"""The REST API of the stand-in, under ``/v2``; downloads and switches beside it.

Order of refusals, as observed of the real service: a wrong token first; without
a token unknown path (404), method (405), body (400), then the missing token (401).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, abort, g, request

from .company import Company
from .downloads import Downloads
from .errors import ApiError, json_response, not_found, of_routing
from .faults import Faults
from .presenter import Presenter, parse_include
from .query import Page, Query, QueryRefused, last, order, page_of, paging, select
from .records import Record, loads
from .resources import RESOURCES, Resource
from .store import BookingRefused, Store
from .switches import add_switches

PREFIX = "/v2"
_HTML = "<!doctype html><title>Vedligehold</title><h1>Vi er straks tilbage</h1>"


class Api:
    """The views, with the books and the switches they work on."""

    def __init__(self, store: Store, token: str, faults: Faults) -> None:
        self.store = store
        self.faults = faults
        self.downloads = Downloads()
        self._token = token
        self._count = itertools.count(1)

    def guard(self) -> Response | None:
        """Before every API request: faults, then the checks that come before the resource's own."""
        if not request.path.startswith(f"{PREFIX}/"):
            return None
        g.started = time.monotonic()
        time.sleep(self.faults.slow_seconds)
        refused = self._fault()
        if refused is not None:
            return refused
        token = request.headers.get("X-Access-Token")
        if token is not None and (token != self._token or self.faults.refuse_token):
            raise ApiError(401, "OAUTH_INVALID_ACCESS_TOKEN", "Invalid OAuth 2 access token.")
        if request.routing_exception is not None:
            raise request.routing_exception
        if request.method == "POST":
            g.body = _body()
        if token is None:
            message = "You must use Basic auth or an OAuth access token to make requests to the API."
            raise ApiError(401, "AUTHENTICATION_REQUIRED", message)
        return None

    def _fault(self) -> Response | None:
        refusal = self.faults.refuses(next(self._count))
        if refusal is not None:
            status, text = refusal
            headers = {"Retry-After": str(self.faults.retry_after)} if status in (429, 503) else {}
            return Response(text, status, headers, mimetype="text/plain")
        return Response(_HTML, mimetype="text/html") if self.faults.html_body else None

    def tear(self, response: Response) -> Response:
        """After every API request: break the JSON off where the switch says so."""
        if self.faults.half_page and request.path.startswith(f"{PREFIX}/") and response.is_json:
            body = response.get_data()
            response.set_data(body[: len(body) // 2])
        return response

    def user(self) -> Response:
        """``GET /user``."""
        return _answer({"user": self.store.user})

    def organization(self, key: str | None = None) -> Response:
        """``GET /organization`` and ``GET /organizations/:id``."""
        record = self.faults.organization(self.store.organization)
        if key not in (None, record["id"]):
            raise not_found("organization", str(key))
        return _answer({"organization": record})

    def list_view(self, resource: Resource) -> Callable[[], Response]:
        """``GET /{plural}``."""

        def view() -> Response:
            query = _query()
            tables = self.store.tables
            try:
                found = select(resource, self.store.records(resource.plural), query, tables)
            except QueryRefused as error:
                raise ApiError(400, "OTHER", str(error)) from error
            found = order(resource, found, query, tables)
            page = page_of(found, query, overlap=1 if self.faults.duplicates else 0)
            presenter = self._presenter()
            records = [presenter.present(resource, record) for record in page.records]
            return _answer(_with_sideloads({resource.plural: records}, presenter), paging=self._paging(page, query))

        return view

    def single_view(self, resource: Resource) -> Callable[[str], Response]:
        """``GET /{plural}/:id``."""

        def view(key: str) -> Response:
            record = self.store.get(resource.plural, key)
            if record is None:
                raise not_found(resource.singular, key)
            presenter = self._presenter()
            return _answer(_with_sideloads({resource.singular: presenter.present(resource, record)}, presenter))

        return view

    def post_invoice(self) -> Response:
        """``POST /invoices``: a draft, or booked at once with ``state`` approved."""
        payload = g.body.get("invoice")
        if not isinstance(payload, dict):
            raise ApiError(422, "OTHER", "`invoice` is required.")
        try:
            invoice, lines = self.store.book(payload)
        except BookingRefused as error:
            raise _validation_error(error, payload) from error
        presenter = self._presenter()
        return _answer(
            {
                "invoices": [presenter.present(RESOURCES["invoices"], invoice)],
                "invoiceLines": [presenter.present(RESOURCES["invoiceLines"], line) for line in lines],
            }
        )

    def post_delivery(self) -> Response:
        """``POST /invoiceDeliveries``: Billy's own e-invoice."""
        payload = g.body.get("invoiceDelivery")
        if not isinstance(payload, dict):
            raise ApiError(422, "OTHER", "`invoiceDelivery` is required.")
        try:
            return _answer({"invoiceDeliveries": [self.store.deliver(payload)]})
        except BookingRefused as error:
            raise _validation_error(error, payload) from error

    def download(self, name: str) -> Response:
        """``GET /download/<name>?token=…``: the file, once."""
        found = self.downloads.redeem(request.args.get("token", ""))
        if found is None:
            return Response("This address has been used or never existed.", 403, mimetype="text/plain")
        disposition = {"Content-Disposition": f'inline; filename="{name}"'}
        return Response(self.store.file_content(*found), 200, disposition, mimetype="application/pdf")

    def _paging(self, page: Page, query: Query) -> Record:
        result = paging(page, request.base_url, query)
        if self.faults.changed_total:
            result["total"] += page.number - 1
        return result

    def _presenter(self) -> Presenter:
        host = request.host_url

        def address(name: str, token: str) -> str:
            return f"{host}download/{name}?token={token}"

        include = parse_include(last(_query(), "include"))
        return Presenter(self.store, self.faults, self.downloads, address, include)


def _body() -> dict[str, Any]:
    try:
        body = loads(request.get_data())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(400, "INVALID_REQUEST_BODY", "The request body must be a JSON object.")
    return body


def _query() -> Query:
    """All values of each parameter; ``key[]`` counts as ``key``."""
    result: dict[str, list[str]] = {}
    for name, values in request.args.lists():
        result.setdefault(name.removesuffix("[]"), []).extend(values)
    return result


def _answer(roots: Record, **meta: Any) -> Response:
    elapsed = round(time.monotonic() - g.started, 4)
    return json_response({"meta": {"statusCode": 200, "success": True, "time": elapsed, **meta}, **roots})


def _with_sideloads(roots: Record, presenter: Presenter) -> Record:
    """Side-loaded records under their own roots, after those that were asked for."""
    for plural, records in presenter.sideloads.items():
        asked = roots.get(plural, [])
        known = {record["id"] for record in asked}
        roots[plural] = [*asked, *(record for key, record in records.items() if key not in known)]
    return roots


def _validation_error(error: BookingRefused, payload: Record) -> ApiError:
    # Keyed by the record's client id, as Billy's own data layer reads it.
    errors = {str(payload.get("_clientId", "")): {"message": str(error), "attributes": error.attributes}}
    return ApiError(422, "OTHER", str(error), validationErrors=errors)


def _method_not_allowed() -> Response:
    abort(405)


def _add_routes(app: Flask, api: Api) -> None:
    app.add_url_rule(f"{PREFIX}/user", "user", api.user)
    app.add_url_rule(f"{PREFIX}/organization", "organization", api.organization)
    app.add_url_rule(f"{PREFIX}/organizations/<key>", "organization_by_id", api.organization)
    for plural, resource in RESOURCES.items():
        if resource.in_list:
            app.add_url_rule(f"{PREFIX}/{plural}", f"list_{plural}", api.list_view(resource))
        if resource.by_id:
            app.add_url_rule(f"{PREFIX}/{plural}/<key>", f"get_{plural}", api.single_view(resource))
    app.add_url_rule(f"{PREFIX}/invoices", "post_invoice", api.post_invoice, methods=["POST"])
    app.add_url_rule(f"{PREFIX}/invoiceDeliveries", "post_delivery", api.post_delivery, methods=["POST"])
    # Known to Billy, but not to be listed.
    app.add_url_rule(f"{PREFIX}/bankAccounts", "bank_accounts", _method_not_allowed, methods=["POST"])
    app.add_url_rule("/download/<name>", "download", api.download)


def create_api(company: Company, *, token: str = "demo-token", faults: Faults | None = None) -> Flask:  # noqa: S107
    """The stand-in as a WSGI app over a copy of the company's books.

    ``app.extensions["billy"]`` is the ``Api``, with ``store`` and ``faults`` for tests.
    """
    app = Flask(__name__, static_folder=None)
    api = Api(Store(company), token, Faults() if faults is None else faults)
    app.extensions["billy"] = api
    app.before_request(api.guard)
    app.after_request(api.tear)
    app.register_error_handler(ApiError, ApiError.response)
    app.register_error_handler(404, of_routing)
    app.register_error_handler(405, of_routing)
    _add_routes(app, api)
    add_switches(app, api.store, api.faults)
    return app
