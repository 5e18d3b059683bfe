"""Adaptors: all of them, the catalogue, and the general page of each."""

from . import general, rest, views  # noqa: F401 - importing binds their routes
from .blueprint import blueprint

__all__ = ["blueprint"]
