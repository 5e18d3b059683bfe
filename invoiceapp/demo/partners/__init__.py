"""Receivers on loopback: an SFTP server and a mail server that keep what arrives."""

from .arrivals import Arrival, Arrivals
from .pages import partners_pages
from .serve import Partners, serve_partners

__all__ = ["Arrival", "Arrivals", "Partners", "partners_pages", "serve_partners"]
