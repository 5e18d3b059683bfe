"""Who may do what: the roles in a subscription, the levels on what is shared, and why somebody has one.

Pure rules. An owner manages everything. What is shared gives the others a level; a lock keeps what it gives below
editing. Auditors read everything and change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum


class Role(StrEnum):
    """What a person is in a subscription."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    AUDITOR = "auditor"
    """reads everything until a date, and changes nothing"""


class Level(StrEnum):
    """What a person may do with an adaptor, a gateway or a template of settings; each holds those before it."""

    VIEWER = "viewer"
    """see it"""
    OPERATOR = "operator"
    """run, export, send again, handle"""
    EDITOR = "editor"
    """settings, customers, schedule"""
    MANAGER = "manager"
    """sharing, credentials, deletion"""


class Grantee(StrEnum):
    """With whom something is shared."""

    EVERYBODY = "everybody"
    """all members of the subscription"""
    ADMINS = "admins"
    GROUP = "group"
    USER = "user"


class Reason(StrEnum):
    """Why somebody has a level."""

    OWNER = "owner"
    CREATOR = "creator"
    AUDITOR = "auditor"
    EVERYBODY = "everybody"
    ADMINS = "admins"
    GROUP = "group"
    USER = "user"


class Action(Enum):
    """What routes ask for, and the least level that may."""

    VIEW = Level.VIEWER
    OPERATE = Level.OPERATOR
    EDIT = Level.EDITOR
    MANAGE = Level.MANAGER


_RANK = {level: rank for rank, level in enumerate(Level)}
#: What a lock leaves to those it is shared with: they may use it, but not edit it.
LOCKED = Level.OPERATOR
ADMINISTRATORS = frozenset({Role.OWNER, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Person:
    """A member, as permissions see them."""

    user_id: str
    role: Role
    group_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """One line of sharing; ``grantee_id`` is a user's or a group's."""

    grantee: Grantee
    level: Level
    grantee_id: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A level and where it comes from; ``is_capped`` where a lock has lowered it."""

    level: Level
    reason: Reason
    grantee_id: str | None = None
    is_capped: bool = False

    def may(self, action: Action) -> bool:
        """Whether the level is enough."""
        return _RANK[self.level] >= _RANK[action.value]


def at_most(level: Level, limit: Level) -> Level:
    """The lower of the two."""
    return min(level, limit, key=_RANK.__getitem__)


def at_least(level: Level, limit: Level) -> bool:
    """Whether ``level`` holds ``limit``."""
    return _RANK[level] >= _RANK[limit]


def standing(person: Person, creator_id: str | None, grants: Iterable[Grant], *, is_locked: bool) -> Standing | None:
    """What the person may do with something; None where they may not even know of it.

    Of several grants the highest counts.
    """
    if person.role is Role.OWNER:
        return Standing(Level.MANAGER, Reason.OWNER)
    if person.role is Role.AUDITOR:
        return Standing(Level.VIEWER, Reason.AUDITOR)
    if creator_id == person.user_id:
        return Standing(Level.MANAGER, Reason.CREATOR)
    given = [grant for grant in grants if _is_for(grant, person)]
    if not given:
        return None
    best = max(given, key=lambda grant: _RANK[grant.level])
    level = at_most(best.level, LOCKED) if is_locked else best.level
    return Standing(level, Reason(best.grantee.value), best.grantee_id, is_capped=level is not best.level)


def _is_for(grant: Grant, person: Person) -> bool:
    match grant.grantee:
        case Grantee.EVERYBODY:
            return True
        case Grantee.ADMINS:
            return person.role is Role.ADMIN
        case Grantee.GROUP:
            return grant.grantee_id in person.group_ids
        case Grantee.USER:
            return grant.grantee_id == person.user_id


def may_appoint(actor: Role, role: Role) -> bool:
    """Whether somebody may give, change or take ``role``: owners every one, administrators all but owner and administrator."""
    return actor is Role.OWNER or (actor is Role.ADMIN and role not in ADMINISTRATORS)


def keeps_an_owner(owners: Collection[str], leaving: str) -> bool:
    """Whether the subscription still has an owner without the user ``leaving``."""
    return bool(set(owners) - {leaving})
