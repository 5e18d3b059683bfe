"""The list of members, and what administrators see beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import render_template, session
from flask_login import current_user

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.findings import Text
from invoiceapp.domain.permissions import may_appoint
from invoiceapp.models import Adaptor, Gateway, Membership, Role, utcnow
from invoiceapp.services.people import access, invitations, members, sharing, words
from invoiceapp.services.sign_in import account_mail
from invoiceapp.services.sign_in.second_factors import has_second_factor

from .blueprint import blueprint

#: In the session: the link of the invitation that was just made, shown once.
LINK = "invitation_link"


@dataclass(frozen=True, slots=True)
class Row:
    """One member as the list shows them."""

    member: Membership
    name: str
    is_me: bool
    is_active: bool
    has_second_factor: bool
    seen: datetime | None
    may_change: bool


def appointable() -> list[Role]:
    """The roles that the person may give."""
    return [role for role in Role if may_appoint(access.membership().role, role)]


def _rows() -> list[Row]:
    found = members.listed(access.subscription().id)
    seen, roles = members.last_seen(found), appointable()
    return [
        Row(
            one, members.name_of(one.user), one.user_id == current_user.id, access.is_active(one),
            has_second_factor(one.user), seen.get(one.user_id), one.role in roles,
        )
        for one in found
    ]  # fmt: skip


def invitation_values(form: Mapping[str, str] | None = None, group_ids: Sequence[str] = ()) -> dict[str, Any]:
    """What the form for an invitation shows."""
    form = form or {}
    return {
        "email": form.get("email", ""), "role": form.get("role", Role.MEMBER.value), "group_ids": group_ids,
        "last_day": form.get("last_day", ""),
    }  # fmt: skip


def _for_everybody() -> list[tuple[str, Text]]:
    """What is shared with all users and that the person may see: name and level; this is what a new member gets at once."""
    rows: list[Adaptor | Gateway] = [*access.of_subscription(Adaptor), *access.of_subscription(Gateway)]
    found = [(row.name, sharing.level_of_everybody(row)) for row in access.open_to(rows)]
    return [(name, words.LEVELS[level]) for name, level in found if level is not None]


def page(**context: Any) -> str:
    """The list; ``context`` replaces what the form for an invitation shows."""
    subscription_id = access.subscription().id
    shown: dict[str, Any] = {"errors": {}, "typed": invitation_values()} | context
    is_administrator = access.is_administrator()
    return render_template(
        "people/page.html", rows=_rows(), invited=invitations.pending(subscription_id) if is_administrator else [],
        for_everybody=_for_everybody() if is_administrator else [],
        groups=sharing.groups(subscription_id), roles=appointable(), words=words, now=utcnow(),
        is_administrator=is_administrator, sees_all=is_administrator or access.membership().role is Role.AUDITOR,
        has_mail=account_mail.is_possible(), link=session.pop(LINK, None), has_errors=bool(shown["errors"]), **shown,
    )  # fmt: skip


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """Who belongs to the subscription, and as what."""
    return page()
