"""The interface for programs: JSON, with API keys."""

from . import errors, views  # noqa: F401 - importing binds the routes
from .blueprint import blueprint

__all__ = ["blueprint"]
