"""The answers of the API in JSON Schema 2020-12, as OpenAPI 3.1 wants them."""

from __future__ import annotations

from typing import Any

from invoiceapp.domain.findings import Severity, Turn
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Environment, RunState
from invoiceapp.services.daily.listing import STATUSES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "integer"}
YES_NO: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
AMOUNT: Schema = {"type": "string", "pattern": r"^-?\d+\.\d{2}$"}


def an_object(**properties: Schema) -> Schema:
    """With exactly these, all of them always there."""
    return {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}


def one_of(values: Any) -> Schema:
    """One of some words."""
    return {"type": "string", "enum": sorted(str(value) for value in values)}


def ref(name: str) -> Schema:
    """A schema of ``SCHEMAS``."""
    return {"$ref": f"#/components/schemas/{name}"}


def several(schema: Schema) -> Schema:
    """A list of them."""
    return {"type": "array", "items": schema}


def maybe(schema: Schema) -> Schema:
    """Or null."""
    return {"anyOf": [schema, {"type": "null"}]}


_SUMMARY: dict[str, Schema] = {
    "id": TEXT,
    "adaptor_id": TEXT,
    "type": one_of(kind.value for kind in DocumentType),
    "number": TEXT,
    "issue_date": {"type": "string", "format": "date"},
    "customer": an_object(id=MAYBE_TEXT, name=TEXT),
    "currency": TEXT,
    "net": AMOUNT,
    "vat": AMOUNT,
    "total": AMOUNT,
    "order_numbers": an_object(customer=MAYBE_TEXT, supplier=MAYBE_TEXT),
    "status": an_object(code=one_of(STATUSES), words=ref("Words")),
    "status_changed_at": MOMENT,
    "format": MAYBE_TEXT,
    "gateway": maybe(an_object(id=TEXT, name=TEXT)),
    "url": TEXT,
}
_DETAILS: dict[str, Schema] = {
    "delivery": maybe(
        an_object(id=TEXT, sent_at=MOMENT, finished_at=MOMENT, reference=MAYBE_TEXT, is_test=YES_NO),
    ),
    "findings": several(
        an_object(
            rule=TEXT,
            severity=one_of(one.value for one in Severity),
            turn=one_of(one.value for one in Turn),
            words=ref("Words"),
        )
    ),
    "timeline": several(
        an_object(at=MOMENT, words=ref("Words"), detail=maybe(ref("Words")), actor=MAYBE_TEXT, is_upcoming=YES_NO)
    ),
    "actions": several(an_object(name=TEXT, words=ref("Words"), needs_note=YES_NO)),
    "files": an_object(xml=MAYBE_TEXT, pdf=MAYBE_TEXT),
}

SCHEMAS: dict[str, Schema] = {
    "Words": an_object(da=TEXT, en=TEXT),
    "Problem": an_object(type=TEXT, title=TEXT, status=NUMBER, detail=TEXT, words=ref("Words")),
    "Adaptor": an_object(
        id=TEXT,
        name=TEXT,
        company=TEXT,
        environment=one_of(one.value for one in Environment),
        is_active=YES_NO,
        may=several(one_of(("view", "operate"))),
        source=an_object(checked_at=MOMENT, error=maybe(ref("Words"))),
    ),
    "Adaptors": an_object(adaptors=several(ref("Adaptor"))),
    "DocumentLine": an_object(**_SUMMARY),
    "Documents": an_object(documents=several(ref("DocumentLine")), next=MAYBE_TEXT),
    "Document": an_object(**_SUMMARY, **_DETAILS),
    "Run": an_object(
        id=TEXT, adaptor_id=TEXT, state=one_of(one.value for one in RunState), trigger=TEXT, actor=TEXT,
        created_at=MOMENT, started_at=MOMENT, finished_at=MOMENT, read=NUMBER, queued=NUMBER, not_activated=NUMBER,
        already_exported=NUMBER, skipped=NUMBER, documents={"type": "object", "additionalProperties": NUMBER},
        problems=several(an_object(source_id=TEXT, words=ref("Words"))), error=maybe(ref("Words")), url=TEXT,
    ),
    "Act": {
        "type": "object",
        "properties": {"action": TEXT, "delivery": MAYBE_TEXT, "note": MAYBE_TEXT},
        "required": ["action"],
    },
}  # fmt: skip
