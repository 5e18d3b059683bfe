"""Encryption to a partner: always verified, TLS 1.2 at least."""

from __future__ import annotations

import os
import ssl
import tempfile
from contextlib import suppress


class CertificateUnreadable(ValueError):
    """A root certificate, client certificate or key that cannot be used; ``part`` says which."""

    def __init__(self, part: str, detail: str) -> None:
        """``part``: ``ca``, ``certificate``. ``detail`` quotes nothing of a key."""
        super().__init__(f"{part}: {detail}")
        self.part = part


def client_context(
    ca: str | None = None, certificate: str | None = None, key: str | None = None, password: str | None = None
) -> ssl.SSLContext:
    """A verifying context. ``ca`` (PEM) is trusted instead of the public roots; ``certificate`` and ``key`` (PEM) show who we are.

    Raises ``CertificateUnreadable``.
    """
    try:
        context = ssl.create_default_context(cadata=ca or None)
    except (ssl.SSLError, ValueError, TypeError) as error:
        raise CertificateUnreadable("ca", type(error).__name__) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        _load_pair(context, certificate, key or "", password)
    return context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str, password: str | None) -> None:
    # OpenSSL reads a pair from files only. mkstemp gives 0600.
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{certificate.strip()}\n{key.strip()}\n")
        # An empty password instead of none: OpenSSL would ask at the terminal.
        context.load_cert_chain(path, password=password or "")
    except (ssl.SSLError, ValueError, OSError) as error:
        raise CertificateUnreadable("certificate", type(error).__name__) from None
    finally:
        with suppress(OSError):
            os.unlink(path)
