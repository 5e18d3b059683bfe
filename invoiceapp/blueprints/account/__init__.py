"""What belongs to the person alone: how and where they are signed in."""

from . import security, sessions  # noqa: F401 - importing binds the pages
from .blueprint import blueprint

__all__ = ["blueprint"]
