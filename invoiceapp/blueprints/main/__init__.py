"""The dashboard, the error pages, the guard, the menu and the language switch."""

from . import dashboard, errors, guard, views  # noqa: F401 - importing binds their routes and handlers
from .blueprint import blueprint

__all__ = ["blueprint"]
