"""NemHandel through an access point of our own: Peppol's AS4 with a document signature and Danish certificates."""

from .transport import NemHandelTransport

TRANSPORT = NemHandelTransport

__all__ = ["TRANSPORT", "NemHandelTransport"]
