"""Templates: settings under a name, taken from a customer or from the common settings, and given to others.

What is individual, as numbers and addresses of one customer, never comes into one (``profiles``). What is the company's own,
as its bank account, is given only within the adaptor that it comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, SettingTemplate
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput

from . import changes, environments, preflight, profiles, rules, versions
from .changes import Difference
from .saving import Saved, common_groups, of_section
from .settings import RULE, SECTIONS, Place, applied, declared, place, places

_LONGEST = 200
#: Of what is said of the supplier: names neither the company nor its accounts.
_OF_NOBODY = frozenset({("supplier", "paymentMethod")})
#: Who made it and the owners have all of it; others see and use it, until it is shared in another way.
_GRANTS = [{"to": "everybody", "level": "operator"}]


def of_customer(customer: Customer, sections: Iterable[str]) -> dict[Place, Any]:
    """What a template would take from the customer's own settings."""
    return dict(profiles.of_customer(customer.rule, sections).values) if customer.rule else {}


def of_common(adaptor: Adaptor, sections: Iterable[str]) -> dict[Place, Any]:
    """What a template would take from the common settings."""
    stored = places(adaptor.settings)
    wanted = {
        at for section in sections for group in of_section(section, common_groups(adaptor)) for at in _common(group)
    }
    return {at: stored[at] for at in sorted(wanted & stored.keys())}


def _common(group: str) -> set[Place]:
    """The places of a group that mean the same for everybody."""
    return {place(group, field.name) for field in declared(group, common=True)} - profiles.NEVER_COPIED


def counted(values_of: Any, row: Customer | Adaptor) -> dict[str, int]:
    """How many values each section would give (``of_customer``, ``of_common``), without those that would give none."""
    found = {section: len(values_of(row, [section])) for section in SECTIONS}
    return {section: count for section, count in found.items() if count}


def values(row: SettingTemplate) -> dict[Place, Any]:
    """What is in it."""
    return places(row.settings)


def given(row: SettingTemplate, adaptor: Adaptor) -> dict[Place, Any]:
    """What of it customers of the adaptor may get."""
    is_home = row.adaptor_id == adaptor.id
    return {at: value for at, value in values(row).items() if is_home or at[0] != "supplier" or at in _OF_NOBODY}


def version(row: SettingTemplate) -> str:
    """For the hidden field ``version`` of the form."""
    return versions.version(row.name)


def make(adaptor: Adaptor, creator_id: str, name: str, found: Mapping[Place, Any]) -> str:
    """Keep values of an adaptor or its customers under a name; the id. Raises ``InvalidInput`` (``name``, ``sections``)."""
    name = _named(name)
    if not found:
        raise InvalidInput(
            {"sections": Text("Vælg mindst én gruppe med værdier.", "Choose at least one group that has values.")}
        )
    row = SettingTemplate(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, creator_id=creator_id, name=name,
        settings=applied({}, found), grants=_GRANTS,
    )  # fmt: skip
    return _kept(row, name)


def rename(template_id: str, name: str, shown: str | None = None) -> None:
    """Raises ``InvalidInput`` (``name``), ``ChangedMeanwhile``."""
    name = _named(name)
    try:
        with transaction() as session:
            row = session.get_one(SettingTemplate, template_id, with_for_update=True, populate_existing=True)
            if row.name != name:
                versions.require(shown, row.name)
                row.name = name
    except IntegrityError as error:
        raise InvalidInput({"name": _TAKEN}) from error


_TAKEN = Text("Der er allerede en skabelon med det navn.", "A template has that name already.")


def _named(name: str) -> str:
    name = name.strip()[:_LONGEST]
    if not name:
        raise InvalidInput({"name": Text("Skriv et navn.", "Write a name.")})
    return name


def _kept(row: SettingTemplate, name: str) -> str:
    mine = (SettingTemplate.subscription_id == row.subscription_id, SettingTemplate.name == name)
    try:
        with transaction() as session:
            if session.scalar(select(SettingTemplate.id).where(*mine)):
                raise InvalidInput({"name": _TAKEN})
            session.add(row)
            session.flush()
            return row.id
    except IntegrityError as error:
        raise InvalidInput({"name": _TAKEN}) from error


def delete(template_id: str) -> None:
    """What it was given to keeps its values."""
    with transaction() as session:
        row = session.get(SettingTemplate, template_id, with_for_update=True, populate_existing=True)
        if row is not None:
            session.delete(row)


def common_changes(row: SettingTemplate, adaptor: Adaptor) -> list[Difference]:
    """What giving it to all customers of the adaptor would change in the common settings."""
    return changes.differences(adaptor.settings, applied(adaptor.settings, _for_all(row, adaptor)))


def _for_all(row: SettingTemplate, adaptor: Adaptor) -> dict[Place, Any]:
    """Without what each customer has for itself: format and gateway."""
    return {at: value for at, value in given(row, adaptor).items() if at[0] != RULE}


def give_to_all(row: SettingTemplate, adaptor_id: str, actor: str = "system") -> Saved:
    """Put its values into the common settings; other values stay. Raises ``AdaptorDeleted``."""
    with transaction():
        adaptor = rules.held(adaptor_id)
        environments.require_kept(adaptor)
        after = applied(adaptor.settings, _for_all(row, adaptor))
        change = changes.record(adaptor, "common", actor, adaptor.settings, after)
        adaptor.settings = after
        change_id = change.id if change else None
    if change_id is None:
        return Saved(0, None)
    preflight.refresh(adaptor_id)
    return Saved(rules.all_released(adaptor_id, actor).queued, change_id)
