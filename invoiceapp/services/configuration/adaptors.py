"""Adaptors: the catalogue, activation and the schedule."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, new_id, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput
from invoiceapp.sources.base import Source, registry

#: Minutes between scheduled runs that a person may choose.
INTERVALS = (5, 15, 60, 24 * 60)


def catalogue() -> dict[str, type[Source]]:
    """Sources that this installation offers, by kind."""
    return registry()


def activate(subscription_id: str, source_kind: str, name: str) -> Adaptor:
    """A new adaptor for a source, not connected yet. Raises ``InvalidInput``."""
    if source_kind not in registry():
        raise InvalidInput({"kind": Text("Vælg et system på listen.", "Choose a system from the list.")})
    with transaction() as session:
        adaptor = Adaptor(
            id=new_id(), subscription_id=subscription_id, source_kind=source_kind, settings={},
            name=name.strip()[:200] or registry()[source_kind].label.da,
        )  # fmt: skip
        session.add(adaptor)
    return adaptor


def _minutes(text: str, current: int | None) -> int | None:
    if not text:
        return None
    if text in {str(minutes) for minutes in (*INTERVALS, current) if minutes}:
        return int(text)
    raise InvalidInput({"interval": Text("Vælg en af mulighederne.", "Choose one of the options.")})


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        wrong = Text("Skriv en dato, f.eks. 2026-11-01.", "Enter a date, for example 2026-11-01.")
        raise InvalidInput({"start_date": wrong}) from error


def save_schedule(adaptor_id: str, raw: Mapping[str, str]) -> None:
    """Keep ``interval`` (minutes, "" for by hand) and ``start_date`` (ISO, "" for none). Raises ``InvalidInput``."""
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id)
        minutes = _minutes(raw.get("interval", ""), adaptor.interval_minutes)
        adaptor.start_date = _day(raw.get("start_date", "").strip())
        if minutes != adaptor.interval_minutes or (minutes and adaptor.next_run_at is None):
            adaptor.next_run_at = utcnow() + timedelta(minutes=minutes) if minutes else None
        adaptor.interval_minutes = minutes
