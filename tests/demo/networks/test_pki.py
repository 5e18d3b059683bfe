"""The demo's certificates."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from invoiceapp.demo.networks.pki import ACCESS_POINT_CVR, pki_at
from invoiceapp.domain.network import Network


def read(pem):
    return x509.load_pem_x509_certificate(pem.encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pki")


@pytest.fixture(scope="module")
def pki(folder):
    return pki_at(folder)


def test_they_are_made_once_and_kept_for_the_owner_alone(pki, folder):
    assert pki_at(folder) == pki
    assert (folder / "pki.json").stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir()] == ["pki.json"]


def test_all_lead_to_one_root(pki):
    root, issuing = read(pki.root), read(pki.issuing)
    root.verify_directly_issued_by(root)
    issuing.verify_directly_issued_by(root)
    read(pki.tls.certificate).verify_directly_issued_by(root)
    for pem in (pki.smp.certificate, pki.peppol.certificate, pki.nemhandel.certificate, pki.ended):
        read(pem).verify_directly_issued_by(issuing)


def test_access_points_are_named_as_their_networks_do(pki):
    peppol, nemhandel = (read(pki.access_point(network).certificate) for network in (Network.PEPPOL, Network.NEMHANDEL))
    assert peppol.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "POP000001"
    organization = nemhandel.subject.get_attributes_for_oid(NameOID.ORGANIZATION_IDENTIFIER)
    assert organization[0].value == f"NTRDK-{ACCESS_POINT_CVR}"


def test_one_has_ended_and_the_others_have_not(pki):
    now = datetime.now(UTC)
    assert read(pki.ended).not_valid_after_utc < now < read(pki.peppol.certificate).not_valid_after_utc
