"""The OpenAPI 3.1 description of the API. A test compares it with the routes and with what they answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from invoiceapp.services.daily.listing import GROUPS, STATUSES
from invoiceapp.services.sign_in.rates import CALLS

from .parameters import DEFAULT_LIMIT, MOST
from .problems import MEDIA_TYPE
from .schemas import SCHEMAS, Schema, one_of, ref

_ABOUT = f"""\
Read documents with their status, files and history, and start runs.

Every call carries a key: `Authorization: Bearer ia_…`. People make their keys in invoiceapp under *Sign-in and security*.
A key is for one person and one company, and never does more than its person may at that moment.

At most {CALLS} calls a minute for each key and server process; then 429 with `Retry-After`.

Ids of others do not exist: 404. Refusals are RFC 9457 problems; `words` says the same in Danish and English.
"""
_WHY_NOT = {
    "400": "A parameter or the body cannot be read",
    "401": "No key, or one that does not work",
    "403": "The key, or its person, may not do that",
    "404": "It does not exist, or the person has no access",
    "409": "It has moved on meanwhile",
    "415": "The body is not JSON",
    "422": "It is not possible; `words` says why",
    "429": "Too many calls, or too many wrong keys",
}


def _answer(schema: str, description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": ref(schema)}}}


def _file(media_type: str, description: str) -> dict[str, Schema]:
    return {
        "200": {
            "description": description,
            "headers": {"ETag": {"description": "SHA-256 of the bytes", "schema": {"type": "string"}}},
            "content": {media_type: {}},
        },
        "304": {"description": "The caller has these bytes already (`If-None-Match`)"},
    }


def _operation(
    operation: str, summary: str, answers: dict[str, Schema], *refusals: str, parameters: list[Schema] | None = None,
    **more: Any,
) -> Schema:  # fmt: skip
    problems = {
        status: {"description": _WHY_NOT[status], "content": {MEDIA_TYPE: {"schema": ref("Problem")}}}
        for status in ("401", *refusals, "429")
    }
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": parameters or [],
        "responses": {**answers, **problems},
        **more,
    }


def _in_query(name: str, description: str, schema: Schema | None = None) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema or {"type": "string"}}


def _in_path(name: str) -> list[Schema]:
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}]


_FILTERS = [
    _in_query("adaptor", "Only documents of this adaptor (its id)"),
    _in_query("status", "A status, or a group of them: person, progress, arrived", one_of(STATUSES | GROUPS.keys())),
    _in_query("customer", "Only documents to this customer (its id)"),
    _in_query("number", "The whole number, in any case"),
    _in_query("from", "Issued on this day or later", {"type": "string", "format": "date"}),
    _in_query("to", "Issued on this day or earlier", {"type": "string", "format": "date"}),
    _in_query(
        "changed_since",
        "Whose status changed at this moment (with its zone) or later, those that changed first in front. Ask from some "
        "minutes before your last answer: what was being written then comes later.",
        {"type": "string", "format": "date-time"},
    ),
    _in_query("after", "Of `next`; not made by hand"),
    _in_query("limit", "Documents of an answer", {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT}),
]  # fmt: skip
_DOCUMENT, _RUN, _ADAPTOR = (_in_path(f"{kind}_id") for kind in ("document", "run", "adaptor"))

_PATHS: dict[str, dict[str, Schema]] = {
    "/adaptors": {
        "get": _operation(
            "adaptors", "The adaptors that the key is good for", {"200": _answer("Adaptors", "All of them")}
        )
    },
    "/adaptors/{adaptor_id}/runs": {
        "post": _operation(
            "start_run",
            "Fetch and send what is new",
            {
                "202": _answer(
                    "Run", "The run; the one that is under way where there is one, and everything new again after it"
                )
            },
            "403",
            "404",
            "409",
            parameters=_ADAPTOR,
        )
    },
    "/runs/{run_id}": {
        "get": _operation(
            "run", "A run and where its documents are", {"200": _answer("Run", "The run")}, "404", parameters=_RUN
        )
    },
    "/documents": {
        "get": _operation(
            "documents",
            "Documents, newest first, a page at a time",
            {"200": _answer("Documents", "`next` is the address of the following page, or null")},
            "400",
            "404",
            parameters=_FILTERS,
        )
    },
    "/documents/{document_id}": {
        "get": _operation(
            "document",
            "A document with its status, history and what may be done with it",
            {"200": _answer("Document", "The document")},
            "404",
            parameters=_DOCUMENT,
        )
    },
    "/documents/{document_id}/xml": {
        "get": _operation(
            "xml",
            "The exact bytes that are sent",
            _file("application/xml", "In the customer's format, which may be another one than XML"),
            "404",
            parameters=_DOCUMENT,
        )
    },
    "/documents/{document_id}/pdf": {
        "get": _operation("pdf", "The PDF", _file("application/pdf", "The PDF"), "404", parameters=_DOCUMENT)
    },
    "/documents/{document_id}/actions": {
        "post": _operation(
            "act",
            "Do one of the document's actions",
            {"200": _answer("Document", "The document afterwards")},
            "400",
            "403",
            "404",
            "409",
            "415",
            "422",
            parameters=_DOCUMENT,
            requestBody={"required": True, "content": {"application/json": {"schema": ref("Act")}}},
            description="`delivery` is the id of the delivery that you have seen (left out where there was none): a call that "
            "is repeated because its answer was lost is refused with 409, and nothing is done twice.",
        )
    },
    "/openapi.json": {
        "get": {
            "operationId": "openapi_document",
            "summary": "This description",
            "security": [],
            "responses": {"200": {"description": "OpenAPI 3.1", "content": {"application/json": {}}}},
        }
    },
}


@cache
def document() -> dict[str, Any]:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "invoiceapp", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/api/v1"}],
        "security": [{"key": []}],
        "paths": _PATHS,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "ia_…"}},
        },
    }
