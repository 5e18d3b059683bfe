"""Settings for all customers of an adaptor."""

from .views import blueprint

__all__ = ["blueprint"]
