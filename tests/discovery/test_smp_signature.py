"""Whether an SMP's answer is believed: signatures and their chains."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner
from support.pki import ec_key, make_pki, make_root, usage
from support.smp import BIS, WHO, metadata, process_xml, sign

from invoiceapp.discovery.base import CouldNotAsk
from invoiceapp.discovery.smp import Publisher
from invoiceapp.discovery.smp_signature import verified
from invoiceapp.domain.network import Network

NOW = datetime.now(UTC)
DS = "{http://www.w3.org/2000/09/xmldsig#}"
SMP = "{http://busdox.org/serviceMetadata/publishing/1.0/}"


class Sha1Signer(XMLSigner):
    def check_deprecated_methods(self):
        """Signs with what is long forbidden."""


def document():
    return metadata(process_xml(BIS.processes[0]))


def root_of(content):
    return etree.fromstring(content)


def refused(content, anchors):
    with pytest.raises(CouldNotAsk) as caught:
        verified(root_of(content), anchors, NOW)
    return caught.value


@pytest.fixture(scope="session")
def good(pki, smp_holder):
    return sign(document(), smp_holder, pki.intermediate.certificate)


def test_a_signature_by_somebody_whom_the_root_vouches_for_is_believed(good, pki, smp_holder):
    signed = verified(root_of(good), pki.root_pem, NOW)
    assert signed.signer == smp_holder.certificate
    assert signed.root.tag == f"{SMP}SignedServiceMetadata"
    assert signed.root.find(f"{SMP}ServiceMetadata/{SMP}ServiceInformation") is not None
    assert signed.root.find(f"{DS}Signature") is None


def test_an_answer_with_the_signers_certificate_alone_needs_the_issuing_one_here(pki, smp_holder):
    content = sign(document(), smp_holder)
    assert "vouch" in refused(content, pki.root_pem).text.en
    anchors = pki.root_pem + pki.intermediate_pem
    assert verified(root_of(content), anchors, NOW).signer == smp_holder.certificate


def test_a_chain_signed_with_rsassa_pss_is_believed():
    danish = make_pki("Statens", is_pss=True)
    holder = danish.holder("SMP", organization_identifier="NTRDK-12345678")
    content = sign(document(), holder, danish.intermediate.certificate)
    assert verified(root_of(content), danish.root_pem, NOW).signer == holder.certificate


@pytest.mark.parametrize("c14n", list(CanonicalizationMethod)[:6], ids=lambda one: one.name)
def test_every_canonical_form_is_read(pki, smp_holder, c14n):
    content = sign(document(), smp_holder, pki.intermediate.certificate, c14n=c14n)
    assert verified(root_of(content), pki.root_pem, NOW)


@pytest.mark.parametrize(
    "method", [SignatureMethod.RSA_SHA512, SignatureMethod.SHA256_RSA_MGF1], ids=lambda one: one.name
)
def test_stronger_signatures_are_believed(pki, smp_holder, method):
    content = sign(document(), smp_holder, pki.intermediate.certificate, method=method)
    assert verified(root_of(content), pki.root_pem, NOW)


def test_a_signature_by_an_elliptic_curve_is_believed(pki):
    holder = pki.holder("EC", key=ec_key())
    content = sign(document(), holder, pki.intermediate.certificate, method=SignatureMethod.ECDSA_SHA256)
    assert verified(root_of(content), pki.root_pem, NOW)


@pytest.mark.parametrize("method", [SignatureMethod.RSA_SHA1, SignatureMethod.RSA_SHA224], ids=lambda one: one.name)
def test_a_weak_signature_is_not_believed(pki, smp_holder, method):
    content = sign(document(), smp_holder, pki.intermediate.certificate, method=method, signer=Sha1Signer)
    assert "does not fit" in refused(content, pki.root_pem).text.en


def test_a_weak_digest_is_not_believed(pki, smp_holder):
    content = sign(document(), smp_holder, pki.intermediate.certificate, digest=DigestAlgorithm.SHA1, signer=Sha1Signer)
    assert "does not fit" in refused(content, pki.root_pem).text.en


def test_an_altered_answer_is_not_believed(good, pki):
    assert good.count(b"12345674") == 1
    assert "altered" in refused(good.replace(b"12345674", b"12345675"), pki.root_pem).text.en


def test_an_altered_signature_is_not_believed(good, pki):
    root = root_of(good)
    value = root.find(f"{DS}Signature/{DS}SignatureValue")
    octets = bytearray(base64.b64decode(value.text))
    octets[5] ^= 1
    value.text = base64.b64encode(octets).decode()
    assert "altered" in refused(etree.tostring(root), pki.root_pem).text.en


@pytest.mark.parametrize("value", ["", "%%%", "QQ=="])
def test_a_senseless_signature_is_not_believed(good, pki, value):
    root = root_of(good)
    root.find(f"{DS}Signature/{DS}SignatureValue").text = value
    assert "altered" in refused(etree.tostring(root), pki.root_pem).text.en


def test_an_unsigned_answer_is_not_believed(pki):
    assert "not signed" in refused(etree.tostring(document()), pki.root_pem).text.en


def test_a_signer_whom_nobody_vouches_for_is_not_believed(pki):
    foreign = make_pki("Foreign")
    content = sign(document(), foreign.holder("Stranger"), foreign.intermediate.certificate, foreign.root.certificate)
    error = refused(content, pki.root_pem)
    assert "root certificates do not vouch" in error.text.en
    assert "unknown-issuer" in error.detail


def test_a_self_signed_signer_is_not_believed(pki):
    error = refused(sign(document(), make_root("Self")), pki.root_pem)
    assert "does not meet the network's demands" in error.text.en


def test_a_forged_issuer_of_the_same_name_is_not_believed(pki):
    """The same names as ours, other keys."""
    root = make_root("SMP Root", key=ec_key())
    between = root.issue("SMP Intermediate", key=ec_key(), ca=True)
    forged = between.issue("PDK000001", key=ec_key())
    content = sign(document(), forged, between.certificate, method=SignatureMethod.ECDSA_SHA256)
    assert "not vouch" in refused(content, pki.root_pem).text.en


def test_an_outdated_signer_is_not_believed(pki):
    ended = NOW - timedelta(days=1)
    holder = pki.holder("PDK000001", valid=(ended - timedelta(days=300), ended))
    content = sign(document(), holder, pki.intermediate.certificate)
    assert "is not valid today" in refused(content, pki.root_pem).text.en
    assert verified(root_of(content), pki.root_pem, ended - timedelta(days=1)).signer == holder.certificate


def test_a_certificate_that_is_not_for_signing_is_not_believed(pki):
    holder = pki.holder("PDK000003", key_usage=usage(key_encipherment=True))
    content = sign(document(), holder, pki.intermediate.certificate)
    assert "does not meet the network's demands" in refused(content, pki.root_pem).text.en


@pytest.mark.parametrize(
    "anchors", ["", "  ", "no certificate", "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----"]
)
def test_without_root_certificates_nobody_is_believed_and_the_settings_are_named(good, anchors):
    error = refused(good, anchors)
    assert "Rodcertifikaterne for netværket mangler i gatewayens indstillinger" in error.text.da


def test_a_signed_part_in_another_answer_is_not_believed(good, pki):
    """XML signature wrapping: the signed document lies within one that says something else."""
    outer, inner = document(), root_of(good)
    signature = inner.find(f"{DS}Signature")
    inner.set("Id", "original")
    signature.find(f"{DS}SignedInfo/{DS}Reference").set("URI", "#original")
    outer.append(signature)
    outer.append(inner)
    assert "not signed" in refused(etree.tostring(outer), pki.root_pem).text.en


def test_a_signature_for_something_inside_is_not_believed(good, pki, smp_holder):
    """Rightly signed, but for what the text of the document decodes to (XML Signature 6.6.2)."""
    root = root_of(good)
    root.text = base64.b64encode(b"no XML").decode()
    info = root.find(f"{DS}Signature/{DS}SignedInfo")
    info.findall(f".//{DS}Transform")[1].set("Algorithm", "http://www.w3.org/2000/09/xmldsig#base64")
    info.find(f".//{DS}DigestValue").text = base64.b64encode(hashlib.sha256(b"no XML").digest()).decode()
    octets = etree.tostring(root_of(etree.tostring(info)), method="c14n", exclusive=True)
    value = smp_holder.key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    root.find(f"{DS}Signature/{DS}SignatureValue").text = base64.b64encode(value).decode()
    error = refused(etree.tostring(root), pki.root_pem)
    assert error.detail == "something else is signed"


def test_a_signer_that_breaks_the_format_of_certificates_is_not_believed(good, pki):
    root = root_of(good)
    element = root.find(f".//{DS}X509Certificate")
    octets = base64.b64decode(element.text)
    element.text = base64.b64encode(octets.replace(bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d23"))).decode()
    assert "does not meet the network's demands" in refused(etree.tostring(root), pki.root_pem).text.en


def test_what_stands_beside_the_signed_part_is_covered(good, pki):
    root = root_of(good)
    root.append(root_of(etree.tostring(document())))
    assert "altered" in refused(etree.tostring(root), pki.root_pem).text.en


def test_a_second_signature_is_not_believed(good, pki):
    root = root_of(good)
    root.append(root_of(etree.tostring(root.find(f"{DS}Signature"))))
    with pytest.raises(CouldNotAsk):
        verified(root, pki.root_pem, NOW)


@pytest.mark.parametrize("text", ["AAAA", "%%", ""])
def test_certificates_that_cannot_be_read_are_not_believed(good, pki, text):
    root = root_of(good)
    root.find(f".//{DS}X509Certificate").text = text
    assert "not signed" in refused(etree.tostring(root), pki.root_pem).text.en


def test_a_certificate_of_no_known_version_is_not_believed(good, pki):
    root = root_of(good)
    element = root.find(f".//{DS}X509Certificate")
    octets = base64.b64decode(element.text).replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"))
    element.text = base64.b64encode(octets).decode()
    assert "not signed" in refused(etree.tostring(root), pki.root_pem).text.en


def test_no_end_of_certificates_is_not_read(good, pki):
    root = root_of(good)
    data = root.find(f".//{DS}X509Data")
    for _ in range(10):
        data.append(root_of(etree.tostring(data[0])))
    assert "not signed" in refused(etree.tostring(root), pki.root_pem).text.en


def test_a_key_beside_the_certificate_is_not_the_key_that_counts(pki, smp_holder, good):
    """Our SMP's certificate, and a stranger's key and signature."""
    foreign = make_pki("Foreign").holder("Stranger")
    signed = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0).sign(
        document(), key=foreign.key, cert=[smp_holder.certificate, pki.intermediate.certificate],
        always_add_key_value=True,
    )  # fmt: skip
    assert "altered" in refused(etree.tostring(signed), pki.root_pem).text.en


JDK = Path(__file__).with_name("jdk")
#: When that answer was made: nothing of it depends on today.
JDK_NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)


def jdk_endpoint(answer: bytes, anchors: str):
    asking = SimpleNamespace(get=lambda url, most: SimpleNamespace(status=200, body=answer), now=lambda: JDK_NOW)
    return Publisher("https://smp.example", Network.PEPPOL, WHO, anchors).endpoint(BIS, asking)


@pytest.fixture(scope="session")
def jdk_answer() -> bytes:
    """Written by peppol-commons and signed by the JDK, as most SMPs do it: inclusive C14N, a Signature without prefix.

    Made once by ``publish`` of the peer in tests/interop/phase4, under certificates that are valid for a hundred years.
    """
    content = (JDK / "answer.xml").read_bytes()
    assert b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">' in content and b"xml-c14n-20010315" in content
    return content


def test_what_the_jdk_signs_is_believed(jdk_answer):
    found = jdk_endpoint(jdk_answer, (JDK / "anchors.pem").read_text())
    assert found.url == "https://ap.example/as4" and str(found.process).endswith(BIS.processes[0])


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"https://ap.example/as4", b"https://ap.evil.example/as4"), (b"</smp:Endpoint>", b"</smp:Endpoint><!-- -->\n")],
)
def test_what_the_jdk_signed_and_somebody_altered_is_not_believed(jdk_answer, old, new):
    with pytest.raises(CouldNotAsk, match="signature"):
        jdk_endpoint(jdk_answer.replace(old, new), (JDK / "anchors.pem").read_text())


def test_what_the_jdk_signed_under_other_roots_is_not_believed(jdk_answer, pki):
    with pytest.raises(CouldNotAsk, match="signer"):
        jdk_endpoint(jdk_answer, pki.root_pem)
