"""HTTP: the document in a request to the receiver's own web address."""

from .transport import HttpTransport

TRANSPORT = HttpTransport

__all__ = ["TRANSPORT", "HttpTransport"]
