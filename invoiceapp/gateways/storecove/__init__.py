"""Storecove: an access-point provider on Peppol."""

from .transport import StorecoveTransport

TRANSPORT = StorecoveTransport

__all__ = ["TRANSPORT", "StorecoveTransport"]
