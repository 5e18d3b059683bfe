"""Any other access-point provider, described by settings."""

from .transport import AccessPointTransport

TRANSPORT = AccessPointTransport

__all__ = ["TRANSPORT", "AccessPointTransport"]
