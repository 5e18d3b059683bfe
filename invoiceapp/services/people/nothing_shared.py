"""Members with whom no adaptor is shared yet: whether somebody is one, and whom they can ask."""

from __future__ import annotations

from invoiceapp.models import Adaptor, Role

from . import access, members


def is_so() -> bool:
    """Whether the person sees no adaptor, deleted ones too, and there is one, or it is not theirs to activate the first."""
    rows = access.of_subscription(Adaptor)
    if access.open_to(rows):
        return False
    return any(row.deleted_at is None for row in rows) or access.membership().role is Role.MEMBER


def whom_to_ask() -> list[str]:
    """The owners with access, by what they are called."""
    found = members.listed(access.subscription().id)
    return [members.name_of(row.user) for row in found if row.role is Role.OWNER and access.is_active(row)]
