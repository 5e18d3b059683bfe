"""Manual export: by date, by customer, by number."""

from .views import blueprint

__all__ = ["blueprint"]
