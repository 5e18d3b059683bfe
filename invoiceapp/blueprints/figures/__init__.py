"""The flow of the last thirty days as pictures, and the health of what the work needs."""

from .views import blueprint

__all__ = ["blueprint"]
