"""What people are told, and how: wishes, other addresses, escalation, webhook; and the links of mails, without sign-in."""

from . import mailed_links, others, shared, views  # noqa: F401 - importing binds their routes
from .blueprint import blueprint

__all__ = ["blueprint"]
