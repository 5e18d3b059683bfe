"""Network: finds for each customer which of the other gateways reaches it, and sends nothing itself."""

from .transport import NetworkTransport

TRANSPORT = NetworkTransport

__all__ = ["TRANSPORT", "NetworkTransport"]
