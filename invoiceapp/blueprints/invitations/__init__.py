"""The page behind the link of an invitation."""

from .views import blueprint

__all__ = ["blueprint"]
