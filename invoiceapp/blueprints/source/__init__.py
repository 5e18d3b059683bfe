"""Connecting the accounting system, and the settings that hold for all its customers."""

from .views import blueprint

__all__ = ["blueprint"]
