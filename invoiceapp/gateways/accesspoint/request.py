"""A consignment as this provider wants it: what the templates are filled with, the body, and the headers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from invoiceapp.gateways.base import Consignment
from invoiceapp.gateways.http import request as http
from invoiceapp.gateways.http.settings import fixed_headers, form_fields, header_value

from .settings import filled, spoken, value_of


def values_of(consignment: Consignment, config: Mapping[str, Any]) -> dict[str, str]:
    """By token; empty where the invoice does not name an address."""
    parties = {"sender": consignment.sender, "receiver": consignment.receiver}
    found = {"key": consignment.key}
    for name, party in parties.items():
        scheme, value = spoken(party, config) if party else ("", "")
        found |= {f"{name}_scheme": scheme, name: " ".join(value.split())}
    return found


def body_of(consignment: Consignment, config: Mapping[str, Any], values: Mapping[str, str]) -> http.Body:
    """The same bytes for the same consignment and settings."""
    kind = value_of(config, "body")
    further = [(name, filled(text, values)) for name, text in form_fields(str(config.get("form_fields") or ""))]
    if kind == "json":
        document = base64.b64encode(consignment.payload.content).decode("ascii")
        found = _nested([*further, (value_of(config, "document_field"), document)])
        return http.Body(json.dumps(found).encode("ascii"), "application/json")
    form = {
        "body": kind,
        "file_field": value_of(config, "document_field"),
        "form_fields": "\n".join(f"{name}={text}" for name, text in further),
    }
    return http.body_of(consignment, form)


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """``data.xml`` goes into ``data``. A name that stands for a text and for an object is an object."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        *above, last = name.split(".")
        at = found
        for step in above:
            if not isinstance(at.get(step), dict):
                at[step] = {}
            at = at[step]
        at[last] = value
    return found


def headers_of(config: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """The fixed headers, filled. Raises ``FieldInvalid`` where a value cannot stand in a header."""
    fixed = fixed_headers(str(config.get("headers") or ""))
    return {name: header_value(filled(text, values)) for name, text in fixed.items()}


def steady_headers(config: Mapping[str, Any]) -> str:
    """Those of the fixed headers that are the same for every document, as they were typed: they go with questions too."""
    fixed = fixed_headers(str(config.get("headers") or ""))
    return "\n".join(f"{name}: {text}" for name, text in fixed.items() if "{" not in text)
