"""One action for many documents: what it would do, its progress, and what became of each."""

from .views import blueprint

__all__ = ["blueprint"]
