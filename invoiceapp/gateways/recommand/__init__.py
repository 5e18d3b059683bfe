"""Recommand: an access-point provider on Peppol that sends while we wait."""

from .transport import RecommandTransport

TRANSPORT = RecommandTransport

__all__ = ["TRANSPORT", "RecommandTransport"]
