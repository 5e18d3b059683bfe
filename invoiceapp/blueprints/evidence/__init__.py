"""Evidence packs: of one document at once, of many in the background, and the check of one that somebody has."""

from .views import blueprint

__all__ = ["blueprint"]
