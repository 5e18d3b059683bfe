"""Four eyes: what waits for a second person, what was decided, and what is switched on."""

from .views import blueprint

__all__ = ["blueprint"]
