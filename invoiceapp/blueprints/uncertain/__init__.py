"""The desk of unknown outcomes: what we know of each, what can be asked, and then the choices."""

from .views import blueprint

__all__ = ["blueprint"]
