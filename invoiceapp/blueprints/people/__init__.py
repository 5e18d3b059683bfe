"""The people of a subscription: members, invitations and groups."""

from . import groups, inviting, member, views  # noqa: F401 - importing binds the routes
from .blueprint import blueprint

__all__ = ["blueprint"]
