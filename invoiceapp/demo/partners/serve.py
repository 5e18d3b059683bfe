"""All demo partners at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .arrivals import MAIL_FOLDER, SFTP_FOLDER, Arrivals
from .sftp_server import SftpServer
from .smtp_server import SmtpServer


@dataclass(frozen=True, slots=True)
class Partners:
    """Running partners; a context manager that stops them."""

    sftp: SftpServer
    smtp: SmtpServer
    arrivals: Arrivals

    @property
    def sftp_port(self) -> int:
        """Where the SFTP server listens."""
        return self.sftp.port

    @property
    def smtp_port(self) -> int:
        """Where the mail server listens."""
        return self.smtp.port

    @property
    def host_key(self) -> str:
        """SHA-256 fingerprint of the SFTP server's key, as the gateway's field wants it."""
        return self.sftp.host_key

    def close(self) -> None:
        """Stop both servers."""
        self.sftp.close()
        self.smtp.close()

    def __enter__(self) -> Partners:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve_partners(folder: Path, host: str = "127.0.0.1", sftp_port: int = 0, smtp_port: int = 0) -> Partners:
    """Start both servers on folders inside ``folder``; port 0 takes a free one.

    SFTP user and password are ``sftp_server.DEMO_USER`` and ``DEMO_PASSWORD``;
    the mail server wants no login. Raises ``OSError`` where a port is taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sftp = SftpServer(folder / SFTP_FOLDER, folder / "host_key", host, sftp_port)
    try:
        smtp = SmtpServer(folder / MAIL_FOLDER, host, smtp_port)
    except OSError:
        sftp.close()
        raise
    return Partners(sftp, smtp, Arrivals(folder))
