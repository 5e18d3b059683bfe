"""All subscriptions of the signed-in person, one line each."""

from .views import blueprint

__all__ = ["blueprint"]
