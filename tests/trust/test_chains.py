"""Certificate chains: which are believed, and the reason for each that is not."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ObjectIdentifier
from support.pki import Holder, ec_key, make_pki, make_root, pem, rsa_key, usage

from invoiceapp.trust.chains import (
    ChainError,
    Reason,
    fingerprint,
    organization_identifier,
    subject_common_name,
    verify,
)

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="session")
def pki():
    return make_pki()


@pytest.fixture(scope="session")
def leaf(pki):
    return pki.holder("Leaf", organization_identifier="NTRDK-12345678")


def names(chain):
    return [subject_common_name(one) for one in chain]


def believed(pki, holder, at=NOW):
    return verify(holder.certificate, [pki.intermediate.certificate], pki.root_pem, at)


def refused(leaf, between, anchors, at=NOW):
    with pytest.raises(ChainError) as caught:
        verify(leaf, between, anchors, at)
    return caught.value.reason


def test_a_chain_goes_from_the_signer_to_the_root(pki, leaf):
    assert names(believed(pki, leaf)) == ["Leaf", "Test Intermediate", "Test Root"]


def test_intermediates_come_in_any_order_and_with_others(pki, leaf):
    other = make_pki("Other")
    sent = [other.root.certificate, leaf.certificate, pki.intermediate.certificate, pki.root.certificate]
    for between in (sent, sent[::-1], [*sent, *sent]):
        assert verify(leaf.certificate, between, pki.root_pem, NOW)[0] == leaf.certificate


def test_one_of_several_roots_is_enough(pki, leaf):
    anchors = make_pki("Other").root_pem + pki.root_pem
    assert names(verify(leaf.certificate, [pki.intermediate.certificate], anchors, NOW))[-1] == "Test Root"


def test_an_issuing_certificate_may_be_the_anchor(pki, leaf):
    assert names(verify(leaf.certificate, [], pki.intermediate_pem, NOW)) == ["Leaf", "Test Intermediate"]


def test_the_way_through_another_issuer_of_the_same_name_is_found(pki, leaf):
    """A renewed issuer keeps name and key; the old one has ended."""
    old = pki.root.issue("Test Intermediate", key=pki.intermediate.key, ca=True, valid=(NOW - 300 * DAY, NOW - DAY))
    between = [old.certificate, pki.intermediate.certificate]
    chain = verify(leaf.certificate, between, pki.root_pem, NOW)
    assert chain[1] == pki.intermediate.certificate


@pytest.mark.parametrize("hash_algorithm", [hashes.SHA256(), hashes.SHA512()], ids=["SHA-256", "SHA-512"])
def test_authorities_may_sign_with_rsassa_pss(hash_algorithm):
    """As those of the Danish state do (OCES3)."""
    root = make_root("PSS Root", is_pss=True)
    between = root.issue("PSS Issuing", ca=True, is_pss=True, hash_algorithm=hash_algorithm)
    leaf = between.issue("System", hash_algorithm=hash_algorithm)
    assert leaf.certificate.signature_algorithm_oid.dotted_string == "1.2.840.113549.1.1.10"
    assert len(verify(leaf.certificate, [between.certificate], root.pem, NOW)) == 3


def test_elliptic_curves_are_believed():
    root = make_root("EC Root", key=ec_key())
    leaf = root.issue("EC Leaf", key=ec_key())
    assert names(verify(leaf.certificate, [], root.pem, NOW)) == ["EC Leaf", "EC Root"]


@pytest.mark.parametrize(
    ("days", "reason"), [(500, Reason.EXPIRED), (-500, Reason.NOT_YET_VALID)], ids=["later", "earlier"]
)
def test_a_chain_holds_at_its_time_only(pki, leaf, days, reason):
    assert refused(leaf.certificate, [pki.intermediate.certificate], pki.root_pem, NOW + days * DAY) is reason


def test_the_bounds_of_the_time_are_inside(pki, leaf):
    assert believed(pki, leaf, leaf.certificate.not_valid_after_utc)
    after = leaf.certificate.not_valid_after_utc + timedelta(seconds=1)
    assert refused(leaf.certificate, [pki.intermediate.certificate], pki.root_pem, after) is Reason.EXPIRED


@pytest.mark.parametrize("place", ["leaf", "intermediate", "root"])
def test_each_certificate_must_be_valid(place):
    ended = (NOW - 300 * DAY, NOW - DAY)
    root = make_root("Root", valid=ended if place == "root" else None)
    between = root.issue("Between", ca=True, valid=ended if place == "intermediate" else None)
    leaf = between.issue("Leaf", valid=ended if place == "leaf" else None)
    assert refused(leaf.certificate, [between.certificate], root.pem) is Reason.EXPIRED


def test_a_missing_link_is_an_unknown_issuer(pki, leaf):
    assert refused(leaf.certificate, [], pki.root_pem) is Reason.UNKNOWN_ISSUER


def test_another_root_is_an_unknown_issuer(pki, leaf):
    other = make_pki("Other").root_pem
    assert (
        refused(leaf.certificate, [pki.intermediate.certificate, pki.root.certificate], other) is Reason.UNKNOWN_ISSUER
    )


def test_names_alone_prove_nothing(pki):
    """The same names, other keys."""
    root = make_root("Test Root", key=ec_key())
    between = root.issue("Test Intermediate", key=ec_key(), ca=True)
    leaf = between.issue("Leaf", key=ec_key())
    assert refused(leaf.certificate, [between.certificate], pki.root_pem) is Reason.UNKNOWN_ISSUER


def test_a_self_signed_certificate_is_nobodys(pki):
    assert refused(make_root("Self").certificate, [], pki.root_pem) is Reason.IS_CA


def test_a_signer_that_is_an_authority_is_refused(pki):
    assert refused(pki.intermediate.certificate, [], pki.root_pem) is Reason.IS_CA


def test_an_issuer_that_is_no_authority_is_refused(pki):
    signer = pki.holder("Signer")
    leaf = signer.issue("Leaf")
    between = [signer.certificate, pki.intermediate.certificate]
    assert refused(leaf.certificate, between, pki.root_pem) is Reason.NOT_CA


def test_an_authority_that_may_not_sign_certificates_is_refused(pki):
    between = pki.root.issue("Other Use", ca=True, key_usage=usage(crl_sign=True))
    leaf = between.issue("Leaf")
    assert refused(leaf.certificate, [between.certificate], pki.root_pem) is Reason.NOT_CA


def test_more_links_than_an_issuer_allows_are_refused(pki):
    below = pki.intermediate.issue("Below", ca=True)
    leaf = below.issue("Leaf")
    between = [below.certificate, pki.intermediate.certificate]
    assert refused(leaf.certificate, between, pki.root_pem) is Reason.PATH_LENGTH


def test_as_many_links_as_an_issuer_allows_are_believed():
    root = make_root("Root", path_length=2)
    first = root.issue("First", ca=True, path_length=1)
    second = first.issue("Second", ca=True, path_length=0)
    leaf = second.issue("Leaf")
    assert len(verify(leaf.certificate, [first.certificate, second.certificate], root.pem, NOW)) == 4


def test_more_certificates_than_anybody_needs_are_refused(pki, leaf):
    many = [make_root(f"Root {number}", key=ec_key()).certificate for number in range(9)]
    assert refused(leaf.certificate, many, pki.root_pem) is Reason.PATH_LENGTH


def test_a_ring_of_issuers_ends(pki):
    one, other = ec_key(), ec_key()
    first = Holder(make_root("One", key=one).certificate, one).issue("Other", key=other, ca=True)
    second = Holder(make_root("Other", key=other).certificate, other).issue("One", key=one, ca=True)
    leaf = first.issue("Leaf", key=ec_key())
    between = [first.certificate, second.certificate]
    assert refused(leaf.certificate, between, pki.root_pem) is Reason.UNKNOWN_ISSUER


def test_issuers_that_vouch_for_each_other_and_themselves_end():
    key = ec_key()
    twins = [make_root("Twin", key=key) for _ in range(8)]
    leaf = twins[0].issue("Leaf", key=ec_key())
    reason = refused(leaf.certificate, [one.certificate for one in twins], make_root("Other", key=ec_key()).pem)
    assert reason is Reason.UNKNOWN_ISSUER


@pytest.mark.parametrize(
    "key", [lambda: rsa_key("short", 1024), lambda: ec.generate_private_key(ec.SECP224R1())], ids=["RSA", "EC"]
)
@pytest.mark.parametrize("place", ["leaf", "intermediate", "root"])
def test_a_short_key_is_weak(key, place):
    root = make_root("Root", key=key() if place == "root" else ec_key())
    between = root.issue("Between", key=key() if place == "intermediate" else ec_key(), ca=True)
    leaf = between.issue("Leaf", key=key() if place == "leaf" else ec_key())
    assert refused(leaf.certificate, [between.certificate], root.pem) is Reason.WEAK


def test_a_key_of_another_kind_is_refused(pki):
    leaf = pki.holder("Ed", key=ed25519.Ed25519PrivateKey.generate())
    assert refused(leaf.certificate, [pki.intermediate.certificate], pki.root_pem) is Reason.WEAK


def relabelled(certificate, algorithm):
    """The certificate with another algorithm in its two places: ``cryptography`` signs with no weak one any more."""
    sha256_rsa = bytes.fromhex("06092a864886f70d01010b")
    octets = certificate.public_bytes(serialization.Encoding.DER)
    assert octets.count(sha256_rsa) == 2
    return x509.load_der_x509_certificate(octets.replace(sha256_rsa, sha256_rsa[:-1] + bytes([algorithm])))


@pytest.mark.parametrize("algorithm", [4, 5, 14, 99], ids=["MD5", "SHA-1", "SHA-224", "unknown"])
def test_a_weak_signature_is_refused(pki, leaf, algorithm):
    """The last number of the algorithm's OID, 1.2.840.113549.1.1 (RFC 8017 A.2.4)."""
    between = pki.intermediate.certificate
    assert refused(relabelled(leaf.certificate, algorithm), [between], pki.root_pem) is Reason.WEAK
    assert refused(leaf.certificate, [relabelled(between, algorithm)], pki.root_pem) is Reason.WEAK


def test_the_signature_on_a_root_is_not_weighed(pki, leaf):
    """A root is trusted because it is here, whatever it signed itself with."""
    anchors = pem(relabelled(pki.root.certificate, 5))
    assert len(verify(leaf.certificate, [pki.intermediate.certificate], anchors, NOW)) == 3


def replaced(certificate, old, new):
    octets = certificate.public_bytes(serialization.Encoding.DER)
    assert old in octets
    return x509.load_der_x509_certificate(octets.replace(old, new))


def test_a_key_that_cannot_be_read_is_weak(pki, leaf):
    rsa_encryption = bytes.fromhex("06092a864886f70d010101")
    unknown = replaced(leaf.certificate, rsa_encryption, rsa_encryption[:-1] + b"\x7f")
    assert refused(unknown, [pki.intermediate.certificate], pki.root_pem) is Reason.WEAK


def test_an_extension_that_stands_twice_is_refused(pki, leaf):
    """RFC 5280 4.2; here the subject's key identifier is named as the issuer's."""
    doubled = replaced(leaf.certificate, bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d23"))
    assert refused(doubled, [pki.intermediate.certificate], pki.root_pem) is Reason.NOT_UNDERSTOOD
    between = replaced(pki.intermediate.certificate, bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d23"))
    assert refused(leaf.certificate, [between], pki.root_pem) is Reason.NOT_UNDERSTOOD


def test_a_certificate_that_is_not_for_signing_is_refused(pki):
    leaf = pki.holder("Cipher", key_usage=usage(key_encipherment=True))
    assert refused(leaf.certificate, [pki.intermediate.certificate], pki.root_pem) is Reason.WRONG_USE


@pytest.mark.parametrize(
    "extension",
    [
        x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"),
        x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.org")], excluded_subtrees=None),
    ],
    ids=["unknown", "name-constraints"],
)
def test_a_critical_extension_that_we_do_not_know_refuses(pki, extension):
    critical = pki.root.issue("Strict", ca=True, extensions=[(extension, True)])
    assert refused(critical.issue("Leaf").certificate, [critical.certificate], pki.root_pem) is Reason.NOT_UNDERSTOOD
    relaxed = pki.root.issue("Relaxed", ca=True, extensions=[(extension, False)])
    assert verify(relaxed.issue("Leaf").certificate, [relaxed.certificate], pki.root_pem, NOW)


def test_a_certificate_of_no_known_version_is_no_root(pki, leaf):
    version_3 = bytes.fromhex("a003020102")
    octets = pki.root.certificate.public_bytes(serialization.Encoding.DER).replace(version_3, version_3[:-1] + b"\x07")
    anchors = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(octets).decode()}-----END CERTIFICATE-----\n"
    assert refused(leaf.certificate, [pki.intermediate.certificate], anchors) is Reason.NO_ANCHORS


@pytest.mark.parametrize("anchors", ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_without_readable_roots_nothing_is_believed(leaf, anchors):
    assert refused(leaf.certificate, [], anchors) is Reason.NO_ANCHORS


def test_the_error_names_the_certificate(pki, leaf):
    with pytest.raises(ChainError, match=r"unknown-issuer: CN=Test Intermediate"):
        verify(leaf.certificate, [], pki.root_pem, NOW)


def test_what_a_certificate_says_of_its_holder_is_read(pki, leaf):
    assert (subject_common_name(leaf.certificate), organization_identifier(leaf.certificate)) == (
        "Leaf",
        "NTRDK-12345678",
    )
    assert organization_identifier(pki.root.certificate) is None
    assert fingerprint(leaf.certificate) == leaf.certificate.fingerprint(hashes.SHA256()).hex()
    assert pem(leaf.certificate) == leaf.pem
