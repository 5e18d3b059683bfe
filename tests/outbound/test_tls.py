"""The context for a conversation: always verified, with what was pasted into a form."""

from __future__ import annotations

import ssl
import tempfile

import pytest

from invoiceapp.outbound.tls import CertificateUnreadable, client_context


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def pair(authority):
    return authority.issue("client")


def test_it_verifies_names_and_certificates_and_begins_at_tls_1_2():
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_private_root_is_trusted_instead_of_the_public_ones(authority):
    (only,) = client_context(ca=authority.root).get_ca_certs()
    assert only["subject"] == ((("commonName", "Test root"),),)


@pytest.mark.parametrize(
    "ca", ["no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "æøå"]
)
def test_a_root_that_cannot_be_read_is_told_apart(ca):
    with pytest.raises(CertificateUnreadable) as caught:
        client_context(ca=ca)
    assert caught.value.part == "ca"


def test_a_pair_is_taken_and_leaves_no_file(pair, folder):
    client_context(certificate=pair.certificate, key=pair.key)
    assert list(folder.iterdir()) == []


def test_an_encrypted_key_opens_with_its_password(pair, folder):
    client_context(certificate=pair.certificate, key=pair.locked("kodeord"), password="kodeord")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("password", [None, "", "wrong"])
def test_an_encrypted_key_without_its_password_is_told_and_asks_nobody(pair, folder, password):
    with pytest.raises(CertificateUnreadable) as caught:
        client_context(certificate=pair.certificate, key=pair.locked("kodeord"), password=password)
    assert caught.value.part == "certificate"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("broken", ["no key", "no certificate", "another's key", "nonsense"])
def test_a_pair_that_is_none_is_told_and_quotes_no_key(pair, authority, folder, broken):
    certificate, key = {
        "no key": (pair.certificate, None),
        "no certificate": (pair.key, pair.key),
        "another's key": (pair.certificate, authority.issue("other").key),
        "nonsense": ("x", "hemmelig"),
    }[broken]
    with pytest.raises(CertificateUnreadable) as caught:
        client_context(certificate=certificate, key=key)
    assert caught.value.part == "certificate"
    assert caught.value.__suppress_context__
    told = str(caught.value)
    assert not any(line in told for line in (key or "x" * 9).splitlines())
    assert list(folder.iterdir()) == []
