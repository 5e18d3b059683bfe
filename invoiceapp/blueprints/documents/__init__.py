"""One document: its status, its story, its files and its evidence."""

from .views import blueprint

__all__ = ["blueprint"]
