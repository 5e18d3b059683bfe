"""Official rules: what judges documents today, what comes, and whose documents a coming edition would stop."""

from .views import blueprint

__all__ = ["blueprint"]
