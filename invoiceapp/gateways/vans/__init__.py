"""VANS: the file goes to an operator's mailbox by another transport, and the operator's answers are collected there."""

from .transport import VansTransport

TRANSPORT = VansTransport

__all__ = ["TRANSPORT", "VansTransport"]
