"""Matched customers: how each can be reached, and what a person makes of it."""

from . import accepting, answers, checking, customer, matches  # noqa: F401 - importing binds their routes
from .blueprint import blueprint

__all__ = ["blueprint"]
