"""What is kept for how long, legal holds, and the export that needs no program."""

from .views import blueprint

__all__ = ["blueprint"]
