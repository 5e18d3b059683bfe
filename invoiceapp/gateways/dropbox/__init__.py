"""Dropbox: the file is laid in a folder of an account that a person let us into."""

from .transport import DropboxTransport

TRANSPORT = DropboxTransport

__all__ = ["TRANSPORT", "DropboxTransport"]
