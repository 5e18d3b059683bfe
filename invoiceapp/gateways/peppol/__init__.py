"""Peppol through an access point of our own, by AS4."""

from .transport import PeppolTransport

TRANSPORT = PeppolTransport

__all__ = ["TRANSPORT", "PeppolTransport"]
