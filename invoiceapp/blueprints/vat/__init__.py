"""VAT categories of the source's tax rates."""

from .views import blueprint

__all__ = ["blueprint"]
