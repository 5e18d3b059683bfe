from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from signxml import InvalidDigest, InvalidSignature
from signxml.xades import XAdESSignatureConfiguration, XAdESVerifier
from support.pki import make_pki, rsa_key

from invoiceapp.domain.identifiers import Participant
from invoiceapp.gateways.nemhandel import asic

SBD = b"<StandardBusinessDocument>faktura</StandardBusinessDocument>"
AT = datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
CVR, GLN = Participant("0184", "12345674"), Participant("0088", "5798000000001")


@pytest.fixture(scope="module")
def pki():
    return make_pki()


@pytest.fixture(scope="module")
def signer(pki):
    certificate, key = pki.issue("Nordlys system", organization_identifier="NTRDK-12345674")
    chain = x509.load_pem_x509_certificates(certificate.encode()) + x509.load_pem_x509_certificates(
        pki.intermediate_pem.encode() + pki.root_pem.encode()
    )
    return load_pem_private_key(key.encode(), None), chain


@pytest.fixture(scope="module")
def entries(signer):
    key, chain = signer
    files = [(asic.DOCUMENT, SBD), (asic.ORIGINAL, SBD), (asic.DELEGATION, asic.transfer_delegation(CVR, GLN))]
    content = asic.container(files, key, chain, AT)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return content, {info.filename: archive.read(info) for info in archive.infolist()}, archive.infolist()


def verified(files: dict[str, bytes], chain):
    return XAdESVerifier().verify(
        files[asic.SIGNATURES], x509_cert=chain[0], uri_resolver=lambda uri: files[uri],
        expect_config=XAdESSignatureConfiguration(expect_references=4, require_x509=True),
    )  # fmt: skip


def test_the_first_bytes_tell_what_it_is(entries):
    content, _, infos = entries
    assert infos[0].filename == "mimetype" and infos[0].compress_type == zipfile.ZIP_STORED and not infos[0].extra
    assert content[30 : 38 + len(asic.MEDIA_TYPE)] == b"mimetype" + asic.MEDIA_TYPE.encode()


def test_it_holds_what_was_signed_and_a_manifest_of_it(entries):
    _, files, infos = entries
    assert [info.filename for info in infos] == [
        "mimetype", asic.DOCUMENT, asic.ORIGINAL, asic.DELEGATION, "META-INF/manifest.xml", asic.SIGNATURES,
    ]  # fmt: skip
    assert files[asic.DOCUMENT] == SBD
    manifest = etree.fromstring(files["META-INF/manifest.xml"])
    paths = manifest.xpath("//*[local-name()='file-entry']/@*[local-name()='full-path']")
    assert paths == ["/", asic.DOCUMENT, asic.ORIGINAL, asic.DELEGATION]


def test_another_library_verifies_the_signature(entries, signer):
    _, files, _ = entries
    results = verified(files, signer[1])
    assert len(results) == 4
    signed_names = etree.fromstring(files[asic.SIGNATURES]).xpath("//*[local-name()='Reference']/@URI")
    assert signed_names == [asic.DOCUMENT, asic.ORIGINAL, asic.DELEGATION, "#signed-properties"]


@pytest.mark.parametrize("name", [asic.DOCUMENT, asic.ORIGINAL, asic.DELEGATION])
def test_a_changed_file_no_longer_verifies(entries, signer, name):
    _, files, _ = entries
    with pytest.raises(InvalidDigest):
        verified({**files, name: files[name] + b" "}, signer[1])


def test_a_changed_signing_time_no_longer_verifies(entries, signer):
    _, files, _ = entries
    changed = files[asic.SIGNATURES].replace(b"2026-11-23T05:30:00Z", b"2026-11-22T05:30:00Z")
    with pytest.raises((InvalidDigest, InvalidSignature)):
        verified({**files, asic.SIGNATURES: changed}, signer[1])


def test_another_key_is_not_the_signers(entries, signer):
    _, files, _ = entries
    _, chain = signer
    forged = asic.container([(asic.DOCUMENT, SBD)], rsa_key("forger"), chain, AT)
    with zipfile.ZipFile(io.BytesIO(forged)) as archive, pytest.raises(InvalidSignature):
        verified({info.filename: archive.read(info) for info in archive.infolist()}, chain)


def test_the_whole_chain_travels_along(entries, signer):
    _, files, _ = entries
    certificates = etree.fromstring(files[asic.SIGNATURES]).xpath("//*[local-name()='X509Certificate']")
    assert len(certificates) == len(signer[1]) == 3


def test_who_handed_over_to_whom_is_named_as_nemhandel_names_it():
    root = etree.fromstring(asic.transfer_delegation(CVR, GLN))
    assert root.tag == "{http://nemhandel.dk/e-delivery/transfer-delegation}TransferDelegation"
    assert [(child.get("schemeID"), child.text) for child in root] == [("DK:CVR", "12345674"), ("GLN", "5798000000001")]


def test_the_same_makes_the_same(entries, signer):
    key, chain = signer
    files = [(asic.DOCUMENT, SBD), (asic.ORIGINAL, SBD), (asic.DELEGATION, asic.transfer_delegation(CVR, GLN))]
    assert asic.container(files, key, chain, AT) == entries[0]
