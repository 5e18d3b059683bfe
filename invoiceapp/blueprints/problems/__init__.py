"""What needs a person, one page a cause: fix it once, and release all that it stopped."""

from .views import blueprint

__all__ = ["blueprint"]
