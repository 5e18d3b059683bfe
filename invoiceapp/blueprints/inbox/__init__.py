"""What a person was told, within the product, and the bell that counts what is unread."""

from .views import blueprint

__all__ = ["blueprint"]
