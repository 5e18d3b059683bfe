"""Adaptors: the catalogue and the general page of each."""

from .views import blueprint

__all__ = ["blueprint"]
