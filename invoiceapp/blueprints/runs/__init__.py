"""Runs: the list, and one run with its progress."""

from .views import blueprint

__all__ = ["blueprint"]
