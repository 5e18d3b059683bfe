"""With whom adaptors, gateways and templates of settings are shared."""

from .views import blueprint

__all__ = ["blueprint"]
