"""FTP and FTPS: the file is laid in a folder on the receiver's server, under a name that a retry meets again."""

from .transport import FtpTransport

TRANSPORT = FtpTransport

__all__ = ["TRANSPORT", "FtpTransport"]
