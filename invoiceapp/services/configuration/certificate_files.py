"""Certificates and keys as files: reading what a person uploads, and making a new pair. Nothing is stored here."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs7,
)
from cryptography.x509.oid import NameOID

from invoiceapp.domain.fields import LONGEST_TEXT
from invoiceapp.domain.findings import Text
from invoiceapp.services.errors import ServiceError
from invoiceapp.trust.chains import MALFORMED
from invoiceapp.trust.key_cost import is_affordable_key, is_affordable_pkcs12

#: Bytes of an upload.
LARGEST = 100 * 1024
LIFE = timedelta(days=3 * 365)
_KEY_BITS = 3072
_SMALLEST_RSA = 2048
#: Bytes of a name in a certificate; RFC 5280 appendix A (ub-common-name) says characters, but not all programs count so.
_LONGEST_NAME = 64
#: Seconds that opening a file with a key may take; usual ones take a tenth.
PATIENCE = 8.0
_CHILD = Path(__file__).with_name("pair_child.py")


class FileUnusable(ServiceError):
    """A file that is not what was asked for; ``text`` says what is wrong with it and never quotes it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate of ours and its key, both PEM; never shown or logged as a whole."""

    certificate: str
    """Those of its issuers may follow"""
    key: str
    left_out: int = 0
    """Other certificates that the file had"""

    def __repr__(self) -> str:
        return "Pair(…)"


def pem(certificate: x509.Certificate) -> str:
    """As it is stored."""
    return certificate.public_bytes(Encoding.PEM).decode()


def new_pair(name: str, organisation: str) -> Pair:
    """A new RSA key and a certificate for it that it has signed itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    wanted = ((NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, organisation))
    subject = x509.Name([x509.NameAttribute(oid, _shortened(text)) for oid, text in wanted if text])
    # The partner's clock may be behind ours.
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(pem(certificate), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def _shortened(name: str) -> str:
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore")


def _usage() -> x509.KeyUsage:
    """To sign with, and to wrap keys for (RFC 5280 4.2.1.3)."""
    return x509.KeyUsage(
        digital_signature=True, key_encipherment=True, content_commitment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def read_certificate(content: bytes) -> x509.Certificate:
    """The one certificate of a file: DER, PEM, or PKCS#7 with certificates only. Of a chain, the one that issued no other.

    Raises ``FileUnusable``.
    """
    _require_size(content)
    if b"PRIVATE KEY-----" in content:
        raise FileUnusable(_PRIVATE)
    found = certificates(content)
    issuers = {one.issuer for one in found if one.issuer != one.subject}
    ends = found if len(found) == 1 else [one for one in found if one.subject not in issuers]
    if len(ends) != 1:
        raise FileUnusable(_SEVERAL)
    if len(pem(ends[0])) > LONGEST_TEXT:
        raise FileUnusable(_TOO_LARGE)
    return ends[0]


def _require_size(content: bytes) -> None:
    if not content.strip():
        raise FileUnusable(_EMPTY)
    if len(content) > LARGEST:
        raise FileUnusable(_TOO_LARGE)


def certificates(content: bytes) -> Sequence[x509.Certificate]:
    """All certificates of DER, PEM, bare base64 or PKCS#7, at least one. Raises ``FileUnusable``."""
    try:
        found = [_checked(one) for one in _parsed(content)]
    except MALFORMED:
        found = []
    if not found:
        raise FileUnusable(_NO_CERTIFICATE)
    return found


def _checked(certificate: x509.Certificate) -> x509.Certificate:
    """Parts are read when they are asked for; those that we use must be good. Raises ``MALFORMED``."""
    _ = certificate.public_key(), certificate.issuer, certificate.subject, certificate.not_valid_after_utc
    return certificate


def _parsed(content: bytes) -> Sequence[x509.Certificate]:
    if b"-----BEGIN PKCS7-----" in content:
        return pkcs7.load_pem_pkcs7_certificates(content)
    if b"-----BEGIN" in content:
        return x509.load_pem_x509_certificates(content)
    der = _from_base64(content)
    try:
        return [x509.load_der_x509_certificate(der)]
    except MALFORMED:
        return pkcs7.load_der_pkcs7_certificates(der)


def _from_base64(content: bytes) -> bytes:
    """Some systems export DER as base64 without its BEGIN and END."""
    try:
        return base64.b64decode(b"".join(content.split()), validate=True)
    except ValueError:
        return content


def read_pair(content: bytes, password: str, *, with_chain: bool = False) -> Pair:
    """The one key of a PKCS#12 or PEM file, RSA of 2048 bits or more, and its certificate. Raises ``FileUnusable``.

    ``with_chain``: the file's other certificates follow ours in ``Pair.certificate``, as the file has them.
    """
    _require_size(content)
    if not (is_affordable_key(content) if b"-----BEGIN " in content else is_affordable_pkcs12(content)):
        raise FileUnusable(_ENDLESS)
    found = _opened_in_a_child(content, password)
    if "error" in found:
        raise FileUnusable(_PAIR_ERRORS[found["error"]])
    if found["certificate"] is None:
        raise FileUnusable(_MISMATCH)
    key = load_pem_private_key(found["key"].encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _SMALLEST_RSA:
        raise FileUnusable(_WEAK)
    others = found["others"] if with_chain else []
    text = "".join([found["certificate"], *others])
    if len(text) > LONGEST_TEXT:
        raise FileUnusable(_TOO_LARGE)
    certificates(text.encode())
    return Pair(text, found["key"], len(found["others"]) - len(others))


def _opened_in_a_child(content: bytes, password: str) -> dict[str, Any]:
    asked = json.dumps({"content": base64.b64encode(content).decode(), "password": password}).encode()
    command = [sys.executable, "-I", str(_CHILD)]
    try:
        done = subprocess.run(command, input=asked, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        # Its attributes hold what the child has written, which may be the key.
        raise FileUnusable(_ENDLESS) from None
    if done.returncode != 0:
        return {"error": "form"}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


_EMPTY = Text("Vælg en fil, eller indsæt indholdet.", "Choose a file, or paste what is in it.")
_TOO_LARGE = Text(
    "Filen er for stor til at være et certifikat. Vælg filen med certifikatet.",
    "The file is too large for a certificate. Choose the file with the certificate.",
)
_PRIVATE = Text(
    "Filen indeholder en privat nøgle. En partner må aldrig sende jer sin private nøgle. Bed om filen med kun certifikatet "
    "(.cer, .crt eller .pem). Filen er ikke gemt.",
    "The file holds a private key. A partner must never send you its private key. Ask for the file with the certificate only "
    "(.cer, .crt or .pem). The file was not kept.",
)
_NO_CERTIFICATE = Text(
    "Der er intet certifikat i filen, eller den er ikke hel. Bed partneren sende den igen, som .cer, .crt, .pem eller .p7b.",
    "There is no certificate in the file, or it is not whole. Ask the partner to send it again, as .cer, .crt, .pem or .p7b.",
)
_SEVERAL = Text(
    "Der er flere certifikater i filen. Bed partneren om filen med kun det ene, der skal bruges.",
    "There are several certificates in the file. Ask the partner for the file with only the one to use.",
)
_MISMATCH = Text(
    "Certifikatet i filen hører ikke til nøglen. Eksportér certifikatet igen sammen med dets egen private nøgle. Er der flere "
    "certifikater i en .pem-fil, skal jeres eget stå først.",
    "The certificate in the file does not belong to the key. Export the certificate again together with its own private key. Of "
    "several certificates in a .pem file, your own must come first.",
)
_WEAK = Text(
    "Nøglen i filen er for svag eller af en anden slags. Den skal være RSA på mindst 2048 bit. Brug et andet certifikat.",
    "The key in the file is too weak or of another kind. It must be RSA of 2048 bits or more. Use another certificate.",
)
_ENDLESS = Text(
    "Filen kan ikke åbnes inden for rimelig tid. Eksportér certifikatet igen, eller brug et andet.",
    "The file cannot be opened in reasonable time. Export the certificate again, or use another.",
)
_PAIR_ERRORS = {
    "form": Text(
        "Det er ikke en .p12-, .pfx- eller .pem-fil, der kan læses. Eksportér certifikatet igen med dets private nøgle.",
        "That is no .p12, .pfx or .pem file that can be read. Export the certificate again with its private key.",
    ),
    "password": Text(
        "Adgangskoden passer ikke til filen, eller filen er beskadiget. Skriv adgangskoden igen.",
        "The password does not fit the file, or the file is damaged. Write the password again.",
    ),
    "keys": Text(
        "Filen skal indeholde præcis én privat nøgle, sammen med certifikatet. Ligger nøglen i en .pem-fil for sig, så indsæt "
        "indholdet af begge filer i gatewayens indstillinger.",
        "The file must hold exactly one private key, together with the certificate. If the key is in a .pem file of its own, "
        "paste what both files hold into the settings of the gateway.",
    ),
    "certificate": Text(
        "Der er en nøgle i filen, men intet certifikat, der kan læses. Eksportér certifikatet igen med dets private nøgle.",
        "There is a key in the file, but no certificate that can be read. Export the certificate again with its private key.",
    ),
}
