"""Settings for all customers of an adaptor, and the history of all settings."""

from . import examples, history, views  # noqa: F401 - importing binds their routes
from .blueprint import blueprint

__all__ = ["blueprint"]
