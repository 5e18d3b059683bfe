"""E-mail: the document as an attachment, through the user's own mail server."""

from .transport import EmailTransport

TRANSPORT = EmailTransport

__all__ = ["TRANSPORT", "EmailTransport"]
