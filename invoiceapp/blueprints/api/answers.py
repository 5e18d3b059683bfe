"""Rows as the API tells them. Moments are ISO 8601 in UTC, amounts decimal numbers in strings, words in both languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import url_for
from flask_babel import force_locale

from invoiceapp.blueprints.documents.choices import Choice, offered
from invoiceapp.blueprints.documents.timeline import timeline
from invoiceapp.blueprints.main.scope import company
from invoiceapp.domain.findings import Finding
from invoiceapp.domain.money import fixed2
from invoiceapp.domain.permissions import Action
from invoiceapp.formatting import state_look
from invoiceapp.languages import LANGUAGES
from invoiceapp.models import Adaptor, Delivery, Run
from invoiceapp.services.export import runs
from invoiceapp.services.export.queries import Row, Story
from invoiceapp.services.people import access

Json = dict[str, Any]


def _in_both(make: Callable[[], Any]) -> dict[str, Any]:
    """What the pages say, once in each language."""
    found = {}
    for language in LANGUAGES:
        with force_locale(language):
            found[language] = make()
    return found


def _words(stored: Mapping[str, str] | None) -> dict[str, str] | None:
    return {language: stored[language] for language in LANGUAGES} if stored else None


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def adaptor(row: Adaptor) -> Json:
    """One adaptor, and what the key may do with it."""
    return {
        "id": row.id,
        "name": row.name,
        "company": company(row),
        "environment": row.environment.value,
        "is_active": row.active,
        "may": [name for name, action in (("view", Action.VIEW), ("operate", Action.OPERATE)) if access.may(action, row)],
        "source": {"checked_at": _moment(row.source_checked_at), "error": _words(row.source_error)},
    }  # fmt: skip


def document(row: Row) -> Json:
    """One line of the list."""
    one, delivery = row.document, row.delivery
    return {
        "id": one.id,
        "adaptor_id": one.adaptor_id,
        "type": one.type.value,
        "number": one.number,
        "issue_date": one.issue_date.isoformat(),
        "customer": {"id": one.customer_id, "name": one.customer_name},
        "currency": one.currency,
        "net": fixed2(one.net),
        "vat": fixed2(one.vat),
        "total": fixed2(one.gross),
        "order_numbers": {"customer": one.customer_order, "supplier": one.supplier_order},
        "status": {"code": one.status, "words": _in_both(lambda: str(state_look(one.status).label))},
        "status_changed_at": _moment(one.status_at),
        "format": one.format,
        "gateway": {"id": delivery.gateway_id, "name": delivery.gateway.name} if delivery else None,
        "url": url_for("api.document", document_id=one.id),
    }


def story(found: Story) -> Json:
    """One document with all that happened to it, and what may be done with it."""
    one = found.document
    return {
        **document(found.row),
        "delivery": _delivery(found.delivery) if found.delivery else None,
        "findings": [_finding(stored) for stored in found.delivery.findings] if found.delivery else [],
        "timeline": _timeline(found),
        "actions": _actions(found) if access.may_operate() else [],
        "files": {
            "xml": url_for("api.xml", document_id=one.id) if found.rendition else None,
            "pdf": url_for("api.pdf", document_id=one.id) if one.pdf_sha256 else None,
        },
    }


def _delivery(row: Delivery) -> Json:
    return {
        "id": row.id,
        "sent_at": _moment(row.first_sent_at),
        "finished_at": _moment(row.finished_at),
        "reference": row.remote_ref,
        "is_test": row.environment.value == "test",
    }


def _finding(stored: dict[str, Any]) -> Json:
    found = Finding.from_dict(stored)
    return {
        "rule": found.rule,
        "severity": found.severity.value,
        "turn": found.turn.value,
        "words": {"da": found.text.da, "en": found.text.en},
    }


def _timeline(found: Story) -> list[Json]:
    entries = _in_both(lambda: timeline(found))
    return [
        {
            "at": _moment(da.get("time")),
            "words": {"da": str(da["title"]), "en": str(en["title"])},
            "detail": {"da": _plain(da), "en": _plain(en)} if da.get("text") else None,
            "actor": da.get("actor"),
            "is_upcoming": bool(da.get("upcoming")),
        }
        for da, en in zip(entries["da"], entries["en"], strict=True)
    ]


def _plain(entry: Mapping[str, Any]) -> str:
    return str(entry.get("text") or "")


#: Changes settings, which no key may.
_NOT_FOR_PROGRAMS = "approve"


def actions_open(found: Story) -> list[Choice]:
    """What may be done with it by a program."""
    return [choice for choice in offered(found) if choice.name != _NOT_FOR_PROGRAMS]


def _actions(found: Story) -> list[Json]:
    choices = _in_both(lambda: actions_open(found))
    return [
        {"name": da.name, "words": {"da": da.label, "en": en.label}, "needs_note": da.requires}
        for da, en in zip(choices["da"], choices["en"], strict=True)
    ]


def run(row: Run) -> Json:
    """One run, and where its documents are."""
    return {
        "id": row.id,
        "adaptor_id": row.adaptor_id,
        "state": row.state.value,
        "trigger": row.trigger,
        "actor": row.actor,
        "created_at": _moment(row.created_at),
        "started_at": _moment(row.started_at),
        "finished_at": _moment(row.finished_at),
        "read": row.read,
        "queued": row.queued,
        "not_activated": row.not_activated,
        "already_exported": row.already_exported,
        "skipped": row.skipped,
        "documents": runs.progress(row),
        "problems": [{"source_id": one.get("id", ""), "words": _words(one)} for one in row.problems],
        "error": _words(row.error),
        "url": url_for("api.run", run_id=row.id),
    }
