"""Signing in at the installation's identity provider."""

from .views import blueprint

__all__ = ["blueprint"]
