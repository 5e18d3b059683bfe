"""Gateways: the ways that documents leave by."""

from . import authorization, certificates, expiries, receiver, resending, samples, views  # noqa: F401 - importing binds the pages
from .blueprint import blueprint

__all__ = ["blueprint"]
