"""The document signature that NemHandel wants: an ASiC-E container (ETSI EN 319 162-1) with one XAdES-B signature.

What it holds and how the files are called follows containers of ERST's reference implementation; its specification is not
public (docs/peppol-and-nemhandel.md lists what is open).
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree
from lxml.builder import ElementMaker

from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, SE, Participant

#: Of the SBDH; its instance is the container in base64.
SIGNATURE_SCOPE = "NEMHANDEL_EDELIVERY_SIGNATURE"
MEDIA_TYPE = "application/vnd.etsi.asic-e+zip"
DOCUMENT = "standard-business-document.xml"
ORIGINAL = "original-standard-business-document.xml"
DELEGATION = "transfer-delegation.xml"
SIGNATURES = "META-INF/signatures001.xml"

_ASIC = "http://uri.etsi.org/02918/v1.2.1#"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_MANIFEST = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
_TRANSFER = "http://nemhandel.dk/e-delivery/transfer-delegation"
_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
_RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"
_XML = "text/xml"
#: NemHandel's own names of identifier schemes.
_SCHEMES = {CVR: "DK:CVR", SE: "DK:SE", P_NUMBER: "DK:P", GLN: "GLN"}
_SIGNATURE_ID, _PROPERTIES_ID = "signature", "signed-properties"
#: Files of a ZIP archive carry a time; a fixed one keeps equal containers equal.
_EPOCH = (1980, 1, 1, 0, 0, 0)

_ds = ElementMaker(namespace=_DS, nsmap={"ds": _DS})
_xades = ElementMaker(namespace=_XADES, nsmap={"xades": _XADES, "ds": _DS})


def transfer_delegation(sender: Participant, receiver: Participant) -> bytes:
    """Who handed the document over to whom."""
    make = ElementMaker(namespace=_TRANSFER, nsmap={None: _TRANSFER})

    def party(name: str, participant: Participant) -> etree._Element:
        return make(name, participant.value, {"schemeID": _SCHEMES.get(participant.scheme, participant.scheme)})

    return _bytes(make.TransferDelegation(party("Sender", sender), party("Receiver", receiver)))


def container(
    files: Sequence[tuple[str, bytes]], key: RSAPrivateKey, chain: Sequence[x509.Certificate], at: datetime
) -> bytes:
    """Sign the named files together. ``chain``: the signer's certificate, then its issuers; ``at`` is the signing time."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        # First, and stored as it is: so that the first bytes tell what the file is (EN 319 162-1 A.1).
        archive.writestr(zipfile.ZipInfo("mimetype", _EPOCH), MEDIA_TYPE, zipfile.ZIP_STORED)
        for name, data in [
            *files,
            ("META-INF/manifest.xml", _manifest(files)),
            (SIGNATURES, _signatures(files, key, chain, at)),
        ]:
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _bytes(element: etree._Element) -> bytes:
    content: bytes = etree.tostring(element, encoding="UTF-8", xml_declaration=True)
    return content


def _manifest(files: Sequence[tuple[str, bytes]]) -> bytes:
    make = ElementMaker(namespace=_MANIFEST, nsmap={"manifest": _MANIFEST})

    def entry(path: str, media_type: str) -> etree._Element:
        return make("file-entry", {f"{{{_MANIFEST}}}full-path": path, f"{{{_MANIFEST}}}media-type": media_type})

    entries = [entry("/", MEDIA_TYPE), *(entry(name, _XML) for name, _ in files)]
    return _bytes(make.manifest({f"{{{_MANIFEST}}}version": "1.2"}, *entries))


def _signatures(
    files: Sequence[tuple[str, bytes]], key: RSAPrivateKey, chain: Sequence[x509.Certificate], at: datetime
) -> bytes:
    names = [f"reference-{number}" for number, _ in enumerate(files, 1)]
    properties = _properties(names, chain[0], at)
    info = _signed_info(files, names)
    signature = _ds.Signature(
        {"Id": _SIGNATURE_ID},
        info,
        value := _ds.SignatureValue(),
        _ds.KeyInfo(_ds.X509Data(*(_ds.X509Certificate(_base64(_der(one))) for one in chain))),
        _ds.Object(_xades.QualifyingProperties({"Target": f"#{_SIGNATURE_ID}"}, properties)),
    )
    make = ElementMaker(namespace=_ASIC, nsmap={"asic": _ASIC})
    root = make.XAdESSignatures(signature)
    info.append(
        _reference(
            f"#{_PROPERTIES_ID}", _canonical(properties), {"Type": "http://uri.etsi.org/01903#SignedProperties"}, _C14N
        )
    )
    value.text = _base64(key.sign(_canonical(info), padding.PKCS1v15(), hashes.SHA256()))
    return _bytes(root)


def _signed_info(files: Sequence[tuple[str, bytes]], names: Sequence[str]) -> etree._Element:
    return _ds.SignedInfo(
        _ds.CanonicalizationMethod({"Algorithm": _C14N}),
        _ds.SignatureMethod({"Algorithm": _RSA_SHA256}),
        *(_reference(name, data, {"Id": id_}) for (name, data), id_ in zip(files, names, strict=True)),
    )


def _reference(uri: str, data: bytes, attributes: dict[str, str], transform: str | None = None) -> etree._Element:
    transforms = [_ds.Transforms(_ds.Transform({"Algorithm": transform}))] if transform else []
    return _ds.Reference(
        {**attributes, "URI": uri},
        *transforms,
        _ds.DigestMethod({"Algorithm": _SHA256}),
        _ds.DigestValue(_base64(hashlib.sha256(data).digest())),
    )


def _properties(names: Sequence[str], signer: x509.Certificate, at: datetime) -> etree._Element:
    """What XAdES baseline-B asks for: time, signer's certificate, what each file is (EN 319 132-1 6.3)."""
    certificate = _xades.Cert(
        _xades.CertDigest(
            _ds.DigestMethod({"Algorithm": _SHA512}),
            _ds.DigestValue(_base64(hashlib.sha512(_der(signer)).digest())),
        )
    )
    formats = (_xades.DataObjectFormat({"ObjectReference": f"#{name}"}, _xades.MimeType(_XML)) for name in names)
    return _xades.SignedProperties(
        {"Id": _PROPERTIES_ID},
        _xades.SignedSignatureProperties(
            _xades.SigningTime(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
            _xades.SigningCertificateV2(certificate),
        ),
        _xades.SignedDataObjectProperties(*formats),
    )


def _canonical(element: etree._Element) -> bytes:
    content: bytes = etree.tostring(element, method="c14n", exclusive=True)
    return content


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
