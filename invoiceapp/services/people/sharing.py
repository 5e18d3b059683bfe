"""With whom adaptors, gateways and templates of settings are shared: read from a form, kept, and what it gives to whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from invoiceapp.domain import permissions
from invoiceapp.domain.findings import Text
from invoiceapp.domain.permissions import Action, Grant, Grantee, Level, Standing
from invoiceapp.models import Group, Membership, Role, Shared, User, db
from invoiceapp.services.configuration import versions
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput

from . import access, roster


class Choice(StrEnum):
    """The simple answer to "with whom?"."""

    ME = "me"
    """nobody but who made it and the owners"""
    EVERYBODY = "everybody"
    ADMINS = "admins"
    CHOSEN = "chosen"
    """groups and users"""


#: Which lines of the form count under a choice.
COUNTING: Mapping[Choice, frozenset[Grantee]] = {
    Choice.ME: frozenset(),
    Choice.EVERYBODY: frozenset(Grantee),
    Choice.ADMINS: frozenset({Grantee.ADMINS}),
    Choice.CHOSEN: frozenset({Grantee.ADMINS, Grantee.GROUP, Grantee.USER}),
}
_NEEDED = {Choice.EVERYBODY: Grantee.EVERYBODY, Choice.ADMINS: Grantee.ADMINS}


@dataclass(frozen=True, slots=True)
class Sharing:
    """With whom, and whether they may only use it."""

    grants: tuple[Grant, ...]
    is_locked: bool = False

    @property
    def choice(self) -> Choice:
        """The simple answer."""
        found = {grant.grantee for grant in self.grants}
        if not found:
            return Choice.ME
        if Grantee.EVERYBODY in found:
            return Choice.EVERYBODY
        return Choice.ADMINS if found == {Grantee.ADMINS} else Choice.CHOSEN

    def level(self, grantee: Grantee, grantee_id: str | None = None) -> Level | None:
        """What a line gives; None where there is none."""
        return next((one.level for one in self.grants if (one.grantee, one.grantee_id) == (grantee, grantee_id)), None)


@dataclass(frozen=True, slots=True)
class Effect:
    """What one member may do, and why; ``uncapped`` is what it would be without the lock."""

    member: Membership
    standing: Standing | None
    uncapped: Standing | None
    is_active: bool


def of(row: Shared) -> Sharing:
    """As it is stored."""
    return Sharing(tuple(access.grants(row)), row.is_locked)


def names(row: Shared) -> list[str]:
    """The groups and users that it is shared with, groups first, then in alphabetical order."""
    ids = {kind: {one.grantee_id for one in access.grants(row) if one.grantee is kind} for kind in Grantee}
    found = [db.session.get(Group, row_id) for row_id in ids[Grantee.GROUP]]
    users = [db.session.get(User, row_id) for row_id in ids[Grantee.USER]]
    return [
        *sorted((group.name for group in found if group), key=str.casefold),
        *sorted((user.name or user.email for user in users if user), key=str.casefold),
    ]


def level_of_everybody(row: Shared) -> Level | None:
    """What all users may do with it, as far as the lock and deletion leave; None where it is not shared with them."""
    found = of(row).level(Grantee.EVERYBODY) if getattr(row, "deleted_at", None) is None else None
    return permissions.at_most(found, Level.OPERATOR) if found is not None and row.is_locked else found


def version(row: Shared) -> str:
    """For the hidden field ``version`` of the form."""
    return versions.version(_compared(row))


def _compared(row: Shared) -> Any:
    return {"grants": row.grants, "is_locked": row.is_locked}


def read(form: Mapping[str, str]) -> Sharing:
    """From a form: ``who`` is a choice, ``level.<grantee>[.<id>]`` a level, ``is_locked`` is there or not.

    Raises ``InvalidInput`` (``who``).
    """
    try:
        choice = Choice(form.get("who", ""))
        lines = [_line(name, value) for name, value in form.items() if name.startswith("level.") and value]
    except ValueError as error:
        raise InvalidInput({"who": Text("Vælg, hvem den deles med.", "Choose with whom it is shared.")}) from error
    grants = [line for line in lines if line.grantee in COUNTING[choice]]
    needed = _NEEDED.get(choice)
    if needed is not None and all(line.grantee is not needed for line in grants):
        raise InvalidInput({"who": Text("Vælg også, hvad de må.", "Choose also what they may do.")})
    if choice is Choice.CHOSEN and all(line.grantee is Grantee.ADMINS for line in grants):
        raise InvalidInput({"who": Text("Vælg mindst én gruppe eller person.", "Choose at least one group or person.")})
    return Sharing(tuple(grants), "is_locked" in form)


def _line(name: str, value: str) -> Grant:
    """Raises ``ValueError``."""
    _level, grantee, *ids = name.split(".")
    return Grant(Grantee(grantee), Level(value), ids[0] if ids else None)


def members(subscription_id: str) -> list[Membership]:
    """Those with whom something can be shared: owners have everything already, auditors see everything."""
    return [row for row in roster.people(subscription_id).values() if row.role not in (Role.OWNER, Role.AUDITOR)]


def groups(subscription_id: str) -> list[Group]:
    """By name."""
    return list(db.session.scalars(select(Group).where(Group.subscription_id == subscription_id).order_by(Group.name)))


def effects(row: Any, wanted: Sharing) -> list[Effect]:
    """What ``wanted`` gives to every member."""
    return [
        Effect(member, _standing(row, member, wanted), _standing(row, member, wanted, is_locked=False), access.is_active(member))
        for member in roster.people(row.subscription_id).values()
    ]  # fmt: skip


def _standing(row: Shared, member: Membership, wanted: Sharing, *, is_locked: bool | None = None) -> Standing | None:
    locked = wanted.is_locked if is_locked is None else is_locked
    return permissions.standing(access.person_of(member), row.creator_id, wanted.grants, is_locked=locked)


def lost(row: Shared, wanted: Sharing) -> tuple[Level, Level | None] | None:
    """The level that the signed-in person has now and would have then, where that is less."""
    now = access.standing(row)
    then = permissions.standing(access.person(), row.creator_id, wanted.grants, is_locked=wanted.is_locked)
    if now is None or (then is not None and permissions.at_least(then.level, now.level)):
        return None
    return now.level, then.level if then else None


def save(model: type[Any], row_id: str, wanted: Sharing, shown: str | None = None) -> Standing | None:
    """Keep it; what the signed-in person may do with it from now on. ``shown`` is the ``version`` of the form.

    Raises ``InvalidInput`` (``who``), ``ChangedMeanwhile``, ``NotYours``, ``NotAllowed``.
    """
    subscription_id = access.subscription().id
    with transaction() as session:
        roster.hold(subscription_id)
        row: Any = session.get(model, row_id, populate_existing=True)
        if row is None or row.subscription_id != subscription_id:
            raise access.NotYours
        access.require(Action.MANAGE, row)
        _require_ours(subscription_id, wanted.grants)
        grants = [_stored(grant) for grant in wanted.grants]
        if (grants, wanted.is_locked) != (row.grants, row.is_locked):
            versions.require(shown, _compared(row))
            row.grants, row.is_locked = grants, wanted.is_locked
        return access.standing(row)


def _stored(grant: Grant) -> dict[str, str]:
    line = {"to": grant.grantee.value, "level": grant.level.value}
    return line | {"id": grant.grantee_id} if grant.grantee_id else line


def _require_ours(subscription_id: str, grants: Iterable[Grant]) -> None:
    """Raises ``InvalidInput`` for groups and people of elsewhere, or who were removed since."""
    known: dict[Grantee, set[str | None]] = {
        Grantee.EVERYBODY: {None},
        Grantee.ADMINS: {None},
        Grantee.GROUP: {group.id for group in groups(subscription_id)},
        Grantee.USER: {member.user_id for member in members(subscription_id)},
    }
    if any(grant.grantee_id not in known[grant.grantee] for grant in grants):
        raise InvalidInput(
            {
                "who": Text(
                    "En gruppe eller person er ikke her længere. Se listen igennem, og gem igen.",
                    "A group or person is no longer here. Look through the list, and save again.",
                )
            }
        )


def shared_rows(subscription_id: str) -> list[Any]:
    """Everything of the subscription that can be shared, by kind and name; deleted adaptors too."""
    return [
        row
        for model in Shared.__subclasses__()
        for row in db.session.scalars(_of(model, subscription_id).execution_options(populate_existing=True))
    ]


def _of(model: Any, subscription_id: str) -> Any:
    return select(model).where(model.subscription_id == subscription_id).order_by(model.name)


def shared_with(subscription_id: str, grantee: Grantee, grantee_id: str) -> list[Any]:
    """What is shared with a group or a user by name."""
    return [row for row in shared_rows(subscription_id) if _names(row, grantee, grantee_id)]


def _names(row: Shared, grantee: Grantee, grantee_id: str) -> bool:
    return any((one["to"], one.get("id")) == (grantee.value, grantee_id) for one in row.grants)


def may_fill(actor: Membership, group_id: str) -> bool:
    """Whether somebody may put people into a group: who may share all that is shared with it."""
    found = (
        access.standing(row, access.person_of(actor))
        for row in shared_with(actor.subscription_id, Grantee.GROUP, group_id)
    )
    return all(one is not None and one.may(Action.MANAGE) for one in found)


def require_fill(actor: Membership, group_ids: Iterable[str]) -> None:
    """Raises ``Conflict``."""
    if not all(may_fill(actor, group_id) for group_id in group_ids):
        raise Conflict(
            Text(
                "Gruppen har adgang til noget, som du ikke må dele med andre. Bed en ejer om det.",
                "The group has access to something that you may not share with others. Ask an owner to do it.",
            )
        )


def withdraw(subscription_id: str, grantee: Grantee, grantee_id: str) -> None:
    """Take somebody out of all sharing; a user is nobody's creator any more either.

    Inside the caller's transaction, which holds the subscription (``roster.hold``).
    """
    for row in shared_rows(subscription_id):
        if _names(row, grantee, grantee_id):
            row.grants = [one for one in row.grants if (one["to"], one.get("id")) != (grantee.value, grantee_id)]
        if grantee is Grantee.USER and row.creator_id == grantee_id:
            row.creator_id = None
