"""Our private key, and the pin of the server's."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused
from invoiceapp.trust.key_cost import is_affordable_key

_KEY_CLASSES: tuple[tuple[type, type[paramiko.PKey]], ...] = (
    (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
    (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
    (rsa.RSAPrivateKey, paramiko.RSAKey),
)


def load_private_key(text: str, passphrase: str | None) -> paramiko.PKey:
    """The key in OpenSSH or PEM form (PKCS#1, SEC 1, PKCS#8).

    Raises ``Refused`` where it cannot be read or opened; never echoes it.
    """
    data = text.strip().encode() + b"\n"
    password = passphrase.encode() if passphrase else None
    load = (
        serialization.load_ssh_private_key
        if b"BEGIN OPENSSH PRIVATE KEY" in data
        else serialization.load_pem_private_key
    )
    if not is_affordable_key(data):
        raise Refused(_TOO_COSTLY, "private key: too many rounds")
    try:
        loaded = load(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The library's words may quote the key: only the class goes to the log.
        raise _unreadable(type(error).__name__) from None
    for loaded_class, key_class in _KEY_CLASSES:
        if isinstance(loaded, loaded_class):
            # Paramiko reads no PKCS#8; the OpenSSH form is one that all its classes take.
            plain = loaded.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
            )
            return key_class.from_private_key(io.StringIO(plain.decode()))
    raise _unreadable(type(loaded).__name__)


_TOO_COSTLY = Text(
    "Den private nøgle er krypteret, så det tager alt for længe at åbne den, eller den er ikke hel. Gem den igen med "
    "ssh-keygen -p -a 24, og indsæt den.",
    "The private key is encrypted in a way that takes far too long to open, or it is not whole. Store it again by "
    "ssh-keygen -p -a 24, and paste it.",
)


def _unreadable(reason: str) -> Refused:
    return Refused(
        Text(
            "Den private nøgle kan ikke læses. Indsæt hele nøglefilen (Ed25519, ECDSA eller RSA) igen, "
            "og kontrollér nøglens adgangskode.",
            "The private key cannot be read. Paste the whole key file (Ed25519, ECDSA or RSA) again, "
            "and check the passphrase of the key.",
        ),
        f"private key: {reason}",
    )


@dataclass(frozen=True, slots=True)
class HostKeyPin:
    """The server key that the user confirmed: ``[key type ]SHA256:…``, or nothing yet."""

    fingerprint: str
    key_type: str | None = None
    """Where given, only this type is negotiated: a server with several keys then shows the pinned one"""

    @classmethod
    def parse(cls, text: str | None) -> HostKeyPin:
        """The pin of what stands in the field ``host_key``."""
        key_type, _, fingerprint = (text or "").strip().rpartition(" ")
        return cls(fingerprint, key_type or None)

    def algorithms(self, offered: Sequence[str]) -> list[str]:
        """Those of ``offered`` that can show the pinned key; an RSA key signs with SHA-2 only."""
        if self.key_type is None:
            return list(offered)
        wanted = ("rsa-sha2-512", "rsa-sha2-256") if self.key_type == "ssh-rsa" else (self.key_type,)
        return [name for name in offered if name in wanted]

    def confirm(self, key: paramiko.PKey) -> None:
        """Raise ``Refused`` unless ``key`` is the pinned one. An unknown key is never accepted by itself."""
        found = f"{key.get_name()} {key.fingerprint}"
        if not self.fingerprint:
            raise Refused(
                Text(
                    f"Serverens nøgle er ikke bekræftet. Serveren viser »{found}«. Sammenlign med det fingeraftryk, "
                    "modtageren har oplyst. Er de ens, så stol på det under forbindelsestesten, eller skriv det i feltet »Serverens "
                    "fingeraftryk«.",
                    f"The server's key is not confirmed. The server shows “{found}”. Compare it with the fingerprint "
                    "the receiver told you. If they are the same, trust it below the connection test, or write it into “Fingerprint "
                    "of the server”.",
                ),
                f"host key not pinned, found {found}",
            )
        if key.fingerprint != self.fingerprint:
            raise Refused(
                Text(
                    f"Serverens nøgle har ændret sig: den viser nu »{found}« i stedet for den bekræftede. Intet er sendt. "
                    "Det kan være en forkert server. Spørg modtageren, om nøglen er skiftet, før du retter fingeraftrykket.",
                    f"The server's key has changed: it now shows “{found}” instead of the confirmed one. Nothing was sent. "
                    "It may be the wrong server. Ask the receiver whether the key was changed before you correct the "
                    "fingerprint.",
                ),
                f"host key changed: pinned {self.fingerprint}, found {found}",
            )
