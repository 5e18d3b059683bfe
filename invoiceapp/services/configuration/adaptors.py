"""Adaptors: the catalogue, activation, common settings and the schedule."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Adaptor, ExportRule, db, new_id, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput
from invoiceapp.sources.base import Source, registry

from . import rules
from .settings import FORMATS, from_form, posted, with_groups

#: Groups of common settings; the customer group makes sense for one customer only.
_COMMON_GROUPS = ("general", "supplier")
#: Minutes between scheduled runs that a person may choose.
INTERVALS = (5, 15, 60, 24 * 60)


def common_groups(adaptor: Adaptor) -> tuple[str, ...]:
    """The groups of common settings, and the options of every output format that the adaptor's customers get."""
    used = set(db.session.scalars(select(ExportRule.format).where(ExportRule.adaptor_id == adaptor.id).distinct()))
    options = (
        FORMATS + fmt.id for fmt in formats().values() if fmt.options and fmt.id in {*used, adaptor.default_format}
    )
    return (*_COMMON_GROUPS, *options)


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


def save_common(adaptor_id: str, raw: Mapping[str, str]) -> int:
    """Keep the settings for all customers from form values named ``<group>.<field>``.

    Blocked documents are converted again; how many. Raises ``InvalidInput``.
    """
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id)
        groups = posted(common_groups(adaptor), raw)
        adaptor.settings = with_groups(adaptor.settings, from_form(groups, raw), groups)
    return rules.release_all_blocked(adaptor_id)


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
