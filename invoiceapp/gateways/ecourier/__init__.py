"""eCourier: a Danish provider that sends by NemHandel and Peppol."""

from .transport import ECourierTransport

TRANSPORT = ECourierTransport

__all__ = ["TRANSPORT", "ECourierTransport"]
