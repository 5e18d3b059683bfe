"""Customers and their export rules."""

from .views import blueprint

__all__ = ["blueprint"]
