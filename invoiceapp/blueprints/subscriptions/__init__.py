"""Subscriptions: settings, another one, and which one is shown."""

from .views import blueprint

__all__ = ["blueprint"]
