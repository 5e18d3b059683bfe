"""Sending on NemHandel: Peppol's AS4, and what NemHandel wants besides."""

from __future__ import annotations

import base64
import io
import zipfile
from datetime import UTC, datetime

import pytest
from cryptography import x509
from lxml import etree
from signxml.xades import XAdESSignatureConfiguration, XAdESVerifier
from support.pki import make_pki

from invoiceapp.domain.network import OIOUBL_RESPONSE, Network
from invoiceapp.gateways.as4 import drafts, sbdh
from invoiceapp.gateways.as4.errors import EbmsFault, FailedAuthentication
from invoiceapp.gateways.base import Refused, Rejected, Unavailable
from invoiceapp.gateways.nemhandel import NemHandelTransport, asic
from invoiceapp.trust import chains

from .conftest import INVOICE, PROCESS

pytestmark = pytest.mark.server


def signature_scopes(envelope: bytes) -> list[sbdh.Scope]:
    return [scope for scope in sbdh.read(envelope)[0].scopes if scope.type == asic.SIGNATURE_SCOPE]


def unpacked(envelope: bytes) -> dict[str, bytes]:
    """The files of the one container in an envelope."""
    (scope,) = signature_scopes(envelope)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(scope.instance, validate=True))) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


@pytest.fixture
def sent(access_point, addressed, send):
    """``sent(**settings)``: one document leaves; what the access point took, opened."""

    def run(**settings):
        assert send(addressed(), **settings).proves_arrival
        return access_point.taken[-1]

    return run


def test_a_document_arrives_and_the_receipt_proves_it(sent):
    opened = sent()
    assert opened.payload in INVOICE
    assert opened.header.country_c1 == "DK"


def test_another_library_verifies_the_signature_in_the_envelope(sent, ours):
    files = unpacked(sent().envelope)
    results = XAdESVerifier().verify(
        files[asic.SIGNATURES], x509_cert=ours.certificate, uri_resolver=files.__getitem__,
        expect_config=XAdESSignatureConfiguration(expect_references=4, require_x509=True),
    )  # fmt: skip
    assert [one.signed_data for one in results[:3]] == [
        files[n] for n in (asic.DOCUMENT, asic.ORIGINAL, asic.DELEGATION)
    ]


def test_what_is_signed_is_the_envelope_as_it_goes_without_the_signature(sent):
    opened = sent()
    root = etree.fromstring(opened.envelope)
    (scope,) = [
        one for one in root.iter("{*}Scope") if one.findtext("{*}Type") == asic.SIGNATURE_SCOPE
    ]  # fmt: skip
    scope.getparent().remove(scope)
    files = unpacked(opened.envelope)
    assert etree.tostring(root, method="c14n") == etree.tostring(etree.fromstring(files[asic.DOCUMENT]), method="c14n")
    assert not signature_scopes(files[asic.DOCUMENT])


def test_who_handed_over_to_whom_is_signed_too(sent):
    delegation = etree.fromstring(unpacked(sent().envelope)[asic.DELEGATION])
    assert [(one.get("schemeID"), one.text) for one in delegation] == [("DK:CVR", "12345674"), ("GLN", "5798000000001")]


@pytest.mark.parametrize("version", [None, "1.2.0"])
def test_a_version_of_the_signature_is_named_where_one_is_set(sent, version):
    (scope,) = signature_scopes(sent(signature_version=version).envelope)
    assert scope.identifier == version


def test_ids_of_the_registration_are_copied_as_they_are(sent, access_point):
    opened = sent()
    registered = access_point.endpoint(Network.NEMHANDEL, process=PROCESS)
    assert opened.message.process == opened.header.process == PROCESS
    assert opened.message.action == str(opened.header.document_id) == str(registered.document_id)


@pytest.mark.parametrize(
    ("party", "names"),
    [("cvr", ("12345674", "87654321")), ("cn", ("Nordlys faktura", "Fjordby modtager"))],
)
def test_access_points_are_called_by_company_number_or_by_name(sent, party, names):
    message = sent(party=party).message
    assert (message.sender.id, message.receiver.id) == names


def test_a_certificate_without_company_number_is_called_by_its_name(oces, config):
    certificate = oces.holder("Peppol-like", organization_identifier="GB:NHS-1").certificate
    assert NemHandelTransport(config).party_id(certificate) == "Peppol-like"


def chain_in(envelope: bytes) -> list[x509.Certificate]:
    signatures = etree.fromstring(unpacked(envelope)[asic.SIGNATURES])
    found = signatures.iter("{http://www.w3.org/2000/09/xmldsig#}X509Certificate")
    return [x509.load_der_x509_certificate(base64.b64decode(one.text)) for one in found]


def test_the_chain_travels_along_signed_by_the_state_with_pss(sent, oces, ours):
    chain = chain_in(sent().envelope)
    assert chain[0] == ours.certificate
    assert chain[0].signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS
    assert {oces.intermediate.certificate} <= set(chain[1:]) <= {oces.intermediate.certificate, oces.root.certificate}
    assert chains.verify(chain[0], chain[1:], oces.root_pem, datetime.now(UTC))


def test_issuers_in_our_own_file_travel_along_where_others_are_trusted(config, addressed, oces, ours):
    """The roots for other access points need not be those that issued ours."""
    strangers = make_pki("Strangers")
    settings = {"own_certificate": ours.pem + oces.intermediate_pem, "anchors": strangers.root_pem}
    consignment = addressed()
    header = drafts.header_of(consignment, consignment.endpoint, "DK")
    envelope = NemHandelTransport(config | settings).enveloped(consignment, header)
    assert chain_in(envelope) == [ours.certificate, oces.intermediate.certificate]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (EbmsFault("APR24123 receiver unknown"), Rejected),
        (EbmsFault("APS24004"), Unavailable),
        (FailedAuthentication("who is that?"), Unavailable),
        (EbmsFault("something else"), Rejected),
    ],
)
def test_its_own_codes_count_before_those_of_every_network(access_point, addressed, send, fault, expected):
    access_point.respond = access_point.refusing(fault)
    with pytest.raises(expected):
        send(addressed())


@pytest.mark.parametrize("missing", ["own_certificate", "own_key"])
def test_without_our_certificate_nothing_is_signed_or_sent(access_point, addressed, send, missing):
    with pytest.raises(Refused):
        send(addressed(), **{missing: None})
    assert access_point.requests == []


def test_it_is_declared_for_what_it_can():
    assert NemHandelTransport.accepts == {"oioubl-2.1"}
    assert NemHandelTransport.networks == {Network.NEMHANDEL}
    assert NemHandelTransport.must_be_registered_for == OIOUBL_RESPONSE
    assert NemHandelTransport.wants_endpoint and NemHandelTransport.unwraps
    assert {field.name for field in NemHandelTransport.fields if field.secret} == {"own_key", "own_next_key"}
