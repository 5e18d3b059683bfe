"""Customers and their export rules."""

from . import customer, customers  # noqa: F401 - importing binds their routes
from .blueprint import blueprint

__all__ = ["blueprint"]
