"""API keys: their pages, and signing in with one."""

from . import views  # noqa: F401 - importing binds the pages
from .blueprint import blueprint
from .signing_in import sign_in

__all__ = ["blueprint", "sign_in"]
