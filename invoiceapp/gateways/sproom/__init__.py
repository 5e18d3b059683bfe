"""Sproom: a Danish provider that sends by NemHandel and Peppol."""

from .transport import SproomTransport

TRANSPORT = SproomTransport

__all__ = ["TRANSPORT", "SproomTransport"]
