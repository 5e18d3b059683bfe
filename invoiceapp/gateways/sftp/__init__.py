"""SFTP: the file is laid in a folder on the receiver's server, under a name that a retry meets again."""

from .transport import SftpTransport

TRANSPORT = SftpTransport

__all__ = ["TRANSPORT", "SftpTransport"]
