"""Month-end proofs: ask for one, read it, fetch its files, reckon it again."""

from .views import blueprint

__all__ = ["blueprint"]
