"""Templates of settings: taken from a customer or from the common settings, and given to others."""

from . import giving, views  # noqa: F401 - importing binds the routes
from .blueprint import blueprint

__all__ = ["blueprint"]
