"""Customers and their export rules."""

from . import activation, copying, customer, customers, examples  # noqa: F401 - importing binds their routes
from .blueprint import blueprint

__all__ = ["blueprint"]
