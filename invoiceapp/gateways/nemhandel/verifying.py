"""Whether the document signature of a message that came in holds: a finding for the books, never a refusal."""

from __future__ import annotations

import base64
import io
import lzma
import struct
import zipfile
import zlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier, XAdESVerifyResult

from invoiceapp.gateways.as4 import markup, sbdh
from invoiceapp.gateways.as4.errors import EbmsFault
from invoiceapp.gateways.as4.receiving import Opened
from invoiceapp.trust import chains, xml

from .asic import DOCUMENT, SIGNATURE_SCOPE, SIGNATURES

#: What a container may hold, unpacked; the document stands in it twice.
_LARGEST = 3 * sbdh.LARGEST
_MOST_FILES = 20
_CERTIFICATE = "{http://www.w3.org/2000/09/xmldsig#}X509Certificate"
_CONFIGURATION = XAdESSignatureConfiguration(
    location="./",
    # Any number, one for each file and one for the properties.
    expect_references=True,
    signature_methods=frozenset(
        {SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512,
         SignatureMethod.SHA256_RSA_MGF1, SignatureMethod.SHA384_RSA_MGF1, SignatureMethod.SHA512_RSA_MGF1}
    ),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}),
)  # fmt: skip
#: What a container that was made badly or maliciously brings about in the libraries that read it.
_SENSELESS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, EOFError, OSError, OverflowError, zlib.error,
    lzma.LZMAError, struct.error,
)  # fmt: skip


class Finding(StrEnum):
    """What became of the check."""

    VERIFIED = "verified"
    MISSING = "missing"
    INVALID = "invalid"


class _Invalid(Exception):
    """A container that proves nothing."""


def finding(opened: Opened, anchors: str) -> Finding:
    """Of a message that was opened; ``anchors``: roots (PEM) that the signer's certificate must lead to."""
    found = [scope.instance for scope in opened.header.scopes if scope.type == SIGNATURE_SCOPE]
    if not found:
        return Finding.MISSING
    try:
        if len(found) != 1:
            raise _Invalid
        _verify(base64.b64decode("".join(found[0].split()), validate=True), opened, anchors)
    except (
        _Invalid, EbmsFault, xml.XmlRefused, chains.ChainError, zipfile.BadZipFile, zipfile.LargeZipFile, SignXMLException,
        InvalidSignature, etree.LxmlError, *_SENSELESS, *chains.MALFORMED,
    ):  # fmt: skip
        return Finding.INVALID
    return Finding.VERIFIED


def _verify(container: bytes, opened: Opened, anchors: str) -> None:
    files = _unpacked(container)
    root = xml.parse(files[SIGNATURES])
    given = [x509.load_der_x509_certificate(base64.b64decode(one.text or "")) for one in root.iter(_CERTIFICATE)]
    now = datetime.now(UTC)
    # The signer's stands first (EN 319 132-1 6.3 with X509Data in the order of the chain), and is what signxml is held to.
    chains.verify(given[0], given[1:], anchors, now)
    results = XAdESVerifier().verify(
        root, x509_cert=given[0], uri_resolver=files.__getitem__, expect_config=_CONFIGURATION
    )
    if not any(isinstance(one, XAdESVerifyResult) for one in results):
        raise _Invalid
    if not any(one.signed_data == files[DOCUMENT] for one in results):
        raise _Invalid
    _require_same(opened, files[DOCUMENT])


def _unpacked(container: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        if (
            len(names) > _MOST_FILES
            or len(set(names)) != len(names)
            or sum(info.file_size for info in infos) > _LARGEST
        ):
            raise _Invalid
        # zipfile unpacks no more than a file says that it has.
        return {info.filename: archive.read(info) for info in infos}


def _require_same(opened: Opened, signed: bytes) -> None:
    """The signed envelope is the one that came, but for what access points add to it on the way."""
    header, payload = sbdh.read(signed)
    came = opened.header
    pairs: tuple[tuple[Any, Any], ...] = (
        (header.sender, came.sender),
        (header.receiver, came.receiver),
        (header.instance_id, came.instance_id),
        (header.document_id, came.document_id),
        (_canonical(payload), _canonical(opened.payload)),
    )
    if any(one != other for one, other in pairs):
        raise _Invalid


def _canonical(payload: bytes) -> bytes:
    return markup.canonical(markup.parse(payload, sbdh.LARGEST))
