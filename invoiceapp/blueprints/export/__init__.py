"""Manual export: find documents by number, customer or date, then choose what becomes of them."""

from . import choosing, views  # noqa: F401 - importing binds their routes
from .blueprint import blueprint

__all__ = ["blueprint"]
