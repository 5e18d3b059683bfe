"""Gateways: the ways that documents leave by."""

from .views import blueprint

__all__ = ["blueprint"]
