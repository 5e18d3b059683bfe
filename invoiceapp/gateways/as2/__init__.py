"""AS2 (RFC 4130): the document travels signed and encrypted over HTTP, and the partner signs for it."""

from .transport import As2Transport

TRANSPORT = As2Transport

__all__ = ["TRANSPORT", "As2Transport"]
