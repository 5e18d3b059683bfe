"""The readiness board: what would go if the customers were switched on today, and what is to be mended first."""

from .views import blueprint

__all__ = ["blueprint"]
