"""The one door to tenant rows: every page reads and changes only what its person may.

The policy check (``blueprints/policy.py``) sets for each request in which subscription the person acts (``enter``), what
the route asks for (``Ask``) and what it is about (``about``). Everything here answers within that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, TypeVar
from zoneinfo import ZoneInfo

from flask import g, has_request_context, request, session
from flask_login import current_user
from sqlalchemy import select

from invoiceapp.domain import permissions
from invoiceapp.domain.findings import Text
from invoiceapp.domain.permissions import Action, Grant, Grantee, Level, Person, Standing
from invoiceapp.models import Adaptor, Gateway, Membership, Shared, Subscription, db, utcnow
from invoiceapp.services.errors import Conflict, ServiceError

T = TypeVar("T")
S = TypeVar("S", bound=Shared)

_COPENHAGEN = ZoneInfo("Europe/Copenhagen")
#: Of the signed session: the subscription that the person looks at.
CHOSEN = "subscription_id"
#: Of the signed session: tokens of forms that ended because the person has switched to another company, newest last.
LEFT = "left_forms"
_MOST_LEFT = 3


class NotYours(ServiceError):
    """A row that does not exist for this person; pages answer 404, so that foreign ids tell nothing."""

    def __init__(self) -> None:
        super().__init__(
            Text("Det findes ikke, eller du har ikke adgang.", "It does not exist, or you have no access.")
        )


class NotAllowed(ServiceError):
    """The person may see it, but not do that."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "Din rolle eller det niveau, der er delt med dig, giver ikke adgang til det.",
                "Your role, or the level that is shared with you, does not allow that.",
            )
        )


class NoMembership(ServiceError):
    """Signed in, and a member of nothing; ``over``: memberships that are suspended or have ended."""

    def __init__(self, over: Iterable[Membership] = ()) -> None:
        why = [_why_over(row) for row in over]
        super().__init__(Text(" ".join(one.da for one in why), " ".join(one.en for one in why)) if why else _NO_COMPANY)


_NO_COMPANY = Text(
    "Du har ikke adgang til nogen virksomhed. Bed en ejer eller administrator om at invitere dig.",
    "You have access to no company. Ask an owner or administrator to invite you.",
)


def _why_over(row: Membership) -> Text:
    name = row.subscription.name
    if row.suspended_at is not None:
        return Text(
            f"Din adgang til {name} er suspenderet af en ejer eller administrator. Spørg dem.",
            f"Your access to {name} is suspended by an owner or administrator. Ask them.",
        )
    return Text(
        f"Din adgang til {name} sluttede den {row.last_day:%d.%m.%Y}.",
        f"Your access to {name} ended on {row.last_day:%d/%m/%Y}.",
    )


class Ended(Conflict):
    """The subscription that the person looked at is no longer open to them."""

    def __init__(self, subscription_id: str) -> None:
        row = db.session.get(Subscription, subscription_id)
        da, en = (row.name, row.name) if row else ("abonnementet", "the subscription")
        self.name = Text(da, en)
        super().__init__(
            Text(
                f"Du har ikke længere adgang til {da}. Intet er gjort.",
                f"You no longer have access to {en}. Nothing was done.",
            )
        )


@dataclass(frozen=True, slots=True)
class Ask:
    """What a route asks for: a level (``action``) on rows of a ``kind``; None where only the role counts."""

    kind: str
    action: Action | None = None


#: Outside of a route that says more.
_ANYTHING = Ask("subscription")


def is_active(row: Membership, now: datetime | None = None) -> bool:
    """Whether a membership gives access today, in Copenhagen."""
    if row.suspended_at is not None:
        return False
    return row.last_day is None or (now or utcnow()).astimezone(_COPENHAGEN).date() <= row.last_day


def memberships() -> list[Membership]:
    """The signed-in person's memberships that give access, oldest first."""
    found: list[Membership] = [row for row in getattr(current_user, "memberships", []) if is_active(row)]
    return sorted(found, key=lambda row: row.id)


def membership() -> Membership:
    """The one that this request acts in. Raises ``NoMembership``, ``NotYours``, ``Ended``."""
    kept: Membership | None = g.get("membership")
    if kept is None:
        kept = g.membership = _shown()
    return kept


def _shown() -> Membership:
    """The one that the page shows: htmx says it with each request, so that two windows may show two.

    One that has ended is never replaced by another: what a form is for would be done there.
    """
    if ended := g.get("ended"):
        raise ended
    mine = memberships()
    if not mine:
        raise NoMembership(getattr(current_user, "memberships", []))
    said = request.headers.get("X-Subscription") if has_request_context() else None
    wanted = said or (session.get(CHOSEN) if has_request_context() else None)
    if wanted is None:
        return mine[0]
    found = next((row for row in mine if row.subscription_id == wanted), None)
    if found is None:
        raise NotYours if said else Ended(wanted)
    return found


def settle() -> None:
    """Keep the one that is shown as the choice, so that it is not another one when access to it ends.

    Raises ``NotYours``, ``Ended``.
    """
    if memberships():
        session.setdefault(CHOSEN, membership().subscription_id)


def move_on() -> None:
    """Of a choice that has ended nothing is left, nor can its forms be sent; the oldest is shown."""
    session.pop(CHOSEN, None)
    g.pop("membership", None)
    _end_forms()
    settle()


def refuse_ended(ended: Ended) -> NoReturn:
    """For a form: choice and token go, and nothing happens anywhere. Raises ``Ended``."""
    session.pop(CHOSEN, None)
    _end_forms()
    g.ended = ended
    raise ended


def _end_forms() -> None:
    """Forms of pages that are open are refused: their token is gone."""
    session.pop("csrf_token", None)
    g.pop("csrf_token", None)


def enter(subscription_id: str) -> bool:
    """Act in this subscription for the rest of the request; whether it is another one than before. Raises ``NotYours``."""
    before = membership()
    if before.subscription_id == subscription_id:
        return False
    if g.get("api_token"):
        # A key is for one subscription, whatever else its person belongs to.
        raise NotYours
    g.membership = next((row for row in memberships() if row.subscription_id == subscription_id), None)
    if g.membership is None:
        g.membership = before
        raise NotYours
    return True


def stay(subscription_id: str) -> None:
    """Look at this subscription from now on. Forms of pages that show another one are refused: their token is gone.

    Raises ``NotYours``.
    """
    enter(subscription_id)
    session[CHOSEN] = subscription_id
    if "csrf_token" in session:
        session[LEFT] = [*session.get(LEFT, []), session["csrf_token"]][-_MOST_LEFT:]
    _end_forms()


def actor() -> str:
    """The signed-in person as histories name them."""
    return str(current_user.email)


def subscription() -> Subscription:
    """The tenant that this request acts in."""
    return membership().subscription


def person() -> Person:
    """The signed-in person, as permissions see them."""
    return person_of(membership())


def person_of(row: Membership) -> Person:
    """A member, as permissions see them."""
    return Person(row.user_id, row.role, frozenset(group.id for group in row.groups))


def is_administrator() -> bool:
    """Owner or administrator."""
    return membership().role in permissions.ADMINISTRATORS


def grants(row: Shared) -> list[Grant]:
    """With whom something is shared."""
    return [Grant(Grantee(one["to"]), Level(one["level"]), one.get("id")) for one in row.grants]


def standing(row: Shared, of: Person | None = None) -> Standing | None:
    """What the person (or another one) may do with a row of the subscription; None: they may not know of it."""
    found = permissions.standing(of or person(), row.creator_id, grants(row), is_locked=row.is_locked)
    limit: Level | None = g.get("token_limit") if of is None else None
    chosen: frozenset[str] | None = g.get("token_adaptors") if of is None else None
    if chosen is not None and isinstance(row, Adaptor) and row.id not in chosen:
        return None
    if found is None or limit is None:
        return found
    return Standing(permissions.at_most(found.level, limit), found.reason, found.grantee_id, found.is_capped)


def may(action: Action, row: Shared) -> bool:
    """Whether the person may do that with the row."""
    found = standing(row)
    return found is not None and found.may(action)


def require(action: Action, row: Shared) -> None:
    """Raises ``NotYours`` where the person may not even see it, ``NotAllowed`` where the level is too low."""
    found = standing(row)
    if found is None:
        raise NotYours
    if not found.may(action):
        raise NotAllowed


def asked() -> Ask:
    """What the route asks for."""
    ask: Ask = g.get("ask") or _ANYTHING
    return ask


def about(row: Shared) -> None:
    """Say what this request is about, and that the route may be called for it. Raises ``NotYours``, ``NotAllowed``."""
    ask = asked()
    is_asked_of = ask.kind == kind_of(row) and ask.action is not None
    require(ask.action if is_asked_of and ask.action else Action.VIEW, row)
    g.about = row


def kind_of(row: Shared) -> str:
    """``adaptor``, ``gateway`` or ``template``, as policies say it."""
    return _KINDS.get(type(row), "template")


_KINDS: dict[type[Shared], str] = {Adaptor: "adaptor", Gateway: "gateway"}


def _may_here(action: Action, row: Shared | None) -> bool:
    row = row if row is not None else g.get("about")
    return is_administrator() if row is None else may(action, row)


def may_configure(row: Shared | None = None) -> bool:
    """Whether the person may edit ``row``, or what the page is about; where that is nothing shared, whether they administer."""
    return _may_here(Action.EDIT, row)


def may_operate(row: Shared | None = None) -> bool:
    """The same of exporting, sending again and handling."""
    return _may_here(Action.OPERATE, row)


def may_manage(row: Shared | None = None) -> bool:
    """The same of credentials, sharing and deletion."""
    return _may_here(Action.MANAGE, row)


def require_configure() -> None:
    """Raises ``NotAllowed``."""
    if not may_configure():
        raise NotAllowed


def scoped(model: type[T], row_id: str) -> T:
    """The row, if it is the tenant's and the person may do with it what the route asks for.

    Rows of an adaptor or a gateway are as open as that. Raises ``NotYours`` for other tenants' ids, ids that do not exist
    and what is not shared with the person; ``NotAllowed`` where their level is too low.
    """
    columns: Any = model
    row: Any = db.session.scalar(
        select(model).where(columns.id == row_id, columns.subscription_id == membership().subscription_id)
    )
    if row is None:
        raise NotYours
    _require_for(row)
    return row  # type: ignore[no-any-return]


def _require_for(row: Any) -> None:
    ask = asked()
    for kind, shared in _shared_behind(row):
        require(ask.action if kind == ask.kind and ask.action else Action.VIEW, shared)


def _shared_behind(row: Any) -> list[tuple[str, Shared]]:
    """The row itself where it is shared, else the adaptor that it belongs to."""
    if isinstance(row, Shared):
        return [(kind_of(row), row)]
    adaptor_id = getattr(row, "adaptor_id", None)
    return [("adaptor", db.session.get_one(Adaptor, adaptor_id))] if adaptor_id else []


def open_to(rows: Iterable[S], action: Action = Action.VIEW) -> list[S]:
    """Those of the subscription's rows with which the person may do that."""
    return [row for row in rows if may(action, row)]


def adaptors() -> list[Adaptor]:
    """The adaptors that were not deleted and with which the person may do what the route asks for, oldest first.

    A page asks for them several times; they are read once. Raises ``NotAllowed`` where they see some, and may do it with none.
    """
    if not has_request_context() or request.method not in ("GET", "HEAD"):
        return _adaptors()
    kept: dict[tuple[str, Ask], list[Adaptor]] = g.setdefault("adaptors", {})
    key = membership().subscription_id, asked()
    if key not in kept:
        kept[key] = _adaptors()
    return list(kept[key])


def _adaptors() -> list[Adaptor]:
    query = (
        select(Adaptor)
        .where(Adaptor.subscription_id == membership().subscription_id, Adaptor.deleted_at.is_(None))
        .order_by(Adaptor.id)
    )
    ask = asked()
    seen = open_to(db.session.scalars(query))
    found = open_to(seen, ask.action) if ask.kind == "adaptor" and ask.action else seen
    if seen and not found:
        raise NotAllowed
    return found


def of_subscription(model: type[S]) -> list[S]:
    """All of the tenant, seen or not, by name: for names of what is used. What may be shown goes through ``open_to``."""
    columns: Any = model
    query = select(model).where(columns.subscription_id == membership().subscription_id).order_by(columns.name)
    return list(db.session.scalars(query))


def only_of() -> frozenset[str] | None:
    """Ids of the adaptors that the person may see, deleted ones too; None for all."""
    rows = of_subscription(Adaptor)
    found = open_to(rows)
    return None if len(found) == len(rows) else frozenset(row.id for row in found)


def sees_everything() -> bool:
    """Whether all that can be shared is open to the person."""
    return all(may(Action.VIEW, row) for model in Shared.__subclasses__() for row in of_subscription(model))


def gateways() -> list[Gateway]:
    """The gateways that the person may see, by name."""
    return open_to(of_subscription(Gateway))
