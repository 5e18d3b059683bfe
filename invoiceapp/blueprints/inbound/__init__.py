"""Where partners post their receipts."""

from .views import blueprint

__all__ = ["blueprint"]
