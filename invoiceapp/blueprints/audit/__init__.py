"""The audit trail: who did what, and whether it is as it was written."""

from .views import blueprint

__all__ = ["blueprint"]
