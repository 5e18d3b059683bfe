"""When an adaptor exports by itself."""

from .views import blueprint

__all__ = ["blueprint"]
