"""What holds for an adaptor as a whole: its name, where it sends to, from when on, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Delivery, Document, Environment, NewCustomers
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput

from . import adaptors, changes, environments, preflight, rules, versions
from .releasing import Released
from .settings import OF_THE_ADAPTOR, Place, applied, declared, from_form, stored_in

GROUP = "general"
_LONGEST_DESCRIPTION = 2000


def fields() -> tuple[Field, ...]:
    """The settings of the page, in order."""
    return tuple(field for field in declared(GROUP, common=True) if field.name in OF_THE_ADAPTOR)


def values(adaptor: Adaptor) -> dict[str, Any]:
    """All that the form shows, by the name of its input; settings as they are stored, None where they are not."""
    stored = stored_in(adaptor.settings, GROUP)
    return {
        "name": adaptor.name,
        "description": adaptor.description,
        "environment": adaptor.environment.value,
        "default_format": adaptor.default_format or "",
        "default_gateway": adaptor.default_gateway_id or "",
        "new_customers": adaptor.new_customers.value,
        "start_date": adaptor.start_date.isoformat() if adaptor.start_date else "",
        **{f"{GROUP}.{name}": stored.get(name) for name in OF_THE_ADAPTOR},
    }


def version(adaptor: Adaptor) -> str:
    """For the hidden field ``version``."""
    return versions.version(values(adaptor))


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did."""

    held_back: int = 0
    """Deliveries that may no longer reach their gateway"""
    released: int = 0
    """Documents that are tried again"""
    listed: int = 0
    """Documents that were skipped, and now wait for a manual export"""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The form, read and found good."""

    name: str
    description: str
    environment: Environment
    default_format: str | None
    default_gateway_id: str | None
    new_customers: NewCustomers
    start_date: date | None
    settings: dict[Place, Any]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError as error:
        wrong = Text("Skriv en dato, f.eks. 2026-11-01.", "Enter a date, for example 2026-11-01.")
        raise InvalidInput({"start_date": wrong}) from error


def _new_customers(text: str) -> NewCustomers:
    try:
        return NewCustomers(text)
    except ValueError as error:
        wrong = Text("Vælg en af mulighederne.", "Choose one of the options.")
        raise InvalidInput({"new_customers": wrong}) from error


def _settings(raw: Mapping[str, str]) -> dict[Place, Any]:
    names = {f"{GROUP}.{name}" for name in OF_THE_ADAPTOR}
    return from_form((GROUP,), {name: text for name, text in raw.items() if name in names}, common=True)


def _name_errors(adaptor: Adaptor, name: str) -> dict[str, Text]:
    same = adaptors.named(adaptor.subscription_id, name)
    if same is not None and same.id != adaptor.id:
        return {"name": adaptors.taken(name)}
    return adaptors.name_errors(name)


def _default_errors(adaptor: Adaptor, environment: Environment, raw: Mapping[str, str]) -> dict[str, Text]:
    """What the defaults would be in the environment that is asked for."""
    future = Adaptor(subscription_id=adaptor.subscription_id, environment=environment)
    found = adaptors.destination_errors(future, raw["default_format"], raw["default_gateway"])
    return {f"default_{field}": text for field, text in found.items()}


def _read(adaptor: Adaptor, raw: Mapping[str, str]) -> _Wanted:
    """Raises ``InvalidInput`` with all that is wrong."""
    errors = _name_errors(adaptor, raw["name"])
    if len(raw["description"]) > _LONGEST_DESCRIPTION:
        errors["description"] = Text("Skriv højst 2.000 tegn.", "Write at most 2,000 characters.")

    def attempt(read: Any, text: Any) -> Any:
        try:
            return read(text)
        except InvalidInput as error:
            errors.update(error.errors)
            return None

    environment = attempt(environments.parse, raw["environment"])
    errors |= _default_errors(adaptor, environment or adaptor.environment, raw)
    new_customers = attempt(_new_customers, raw["new_customers"])
    start_date = attempt(_day, raw["start_date"])
    settings = attempt(_settings, raw)
    if errors:
        raise InvalidInput(errors)
    return _Wanted(
        raw["name"].strip(), raw["description"].strip(), environment, raw["default_format"] or None,
        raw["default_gateway"] or None, new_customers, start_date, settings,
    )  # fmt: skip


def save(adaptor_id: str, raw: Mapping[str, str], *, actor: str = "system", shown: str | None = None) -> Saved:
    """Keep the form's values, all or none of them. What the form does not have stays as it is.

    ``shown`` is ``version`` when the form was made. Raises ``InvalidInput``, ``ChangedMeanwhile``, ``AdaptorDeleted``.
    """
    with transaction() as session:
        seen = session.get_one(Adaptor, adaptor_id)
        if raw.get("environment", seen.environment) != seen.environment:
            environments.hold_documents(Delivery.adaptor_id == adaptor_id, Document.adaptor_id == adaptor_id)
        adaptors.hold_names(seen.subscription_id)
        adaptor = session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)
        environments.require_kept(adaptor)
        before, old_settings = values(adaptor), adaptor.settings
        present = {name: str(value) for name, value in before.items() if not name.startswith(f"{GROUP}.")}
        wanted = _read(adaptor, {**present, **raw})
        _apply(adaptor, wanted)
        after = values(adaptor)
        if after == before:
            # The second click on the button: what the form showed then is not what stands now, and nobody is in the way.
            return Saved()
        versions.require(shown, before)
        changes.record(adaptor, GROUP, actor, old_settings, adaptor.settings)
        is_moved = after["environment"] != before["environment"]
        held_back = environments.hold_back(Delivery.adaptor_id == adaptor_id, actor) if is_moved else 0
    preflight.refresh(adaptor_id)
    found = _released(adaptor_id, before, after, actor)
    return Saved(held_back, found.queued, found.listed)


def _apply(adaptor: Adaptor, wanted: _Wanted) -> None:
    adaptor.name, adaptor.description = wanted.name, wanted.description
    adaptor.environment, adaptor.new_customers = wanted.environment, wanted.new_customers
    adaptor.default_format, adaptor.default_gateway_id = wanted.default_format, wanted.default_gateway_id
    adaptor.start_date = wanted.start_date
    adaptor.settings = applied(adaptor.settings, wanted.settings)


def _released(adaptor_id: str, before: Mapping[str, Any], after: Mapping[str, Any], actor: str) -> Released:
    """Let what waits obey the change, where it is about that."""
    goes_live = after["environment"] != before["environment"] == Environment.TEST
    names = ("start_date", *(f"{GROUP}.{name}" for name in OF_THE_ADAPTOR))
    has_other_settings = any(after[name] != before[name] for name in names)
    return rules.all_released(adaptor_id, actor) if goes_live or has_other_settings else Released()
