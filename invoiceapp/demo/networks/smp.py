"""An SMP: what each participant takes, and where, signed (Peppol SMP 1.4)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask, Response, abort, request
from lxml import etree
from lxml.builder import ElementMaker
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import AS4_PROFILE, PARTICIPANT_SCHEME, Identifier, Network

from .pki import Pki
from .population import Condition, Listing, Offered, Population
from .switches import Switch

_SMP = "http://busdox.org/serviceMetadata/publishing/1.0/"
_IDS = "http://busdox.org/transport/identifiers/1.0/"
_WSA = "http://www.w3.org/2005/08/addressing"
_smp = ElementMaker(namespace=_SMP, nsmap={None: _SMP, "ids": _IDS, "wsa": _WSA})
_ids = ElementMaker(namespace=_IDS, nsmap={"ids": _IDS})
_wsa = ElementMaker(namespace=_WSA, nsmap={"wsa": _WSA})

_BEGIN = datetime(2024, 1, 1, tzinfo=UTC).isoformat()
_ENDS = {True: datetime(2025, 1, 1, tzinfo=UTC).isoformat(), False: datetime(2044, 1, 1, tzinfo=UTC).isoformat()}
#: Where the metadata of participants that have moved lies.
_NEW_HOME = "/moved"


class _Smp:
    def __init__(self, network: Network, population: Population, pki: Pki) -> None:
        self._network = network
        self._population = population
        self._pki = pki

    def group(self, participant: str) -> Response:
        """``GET /{participant}``: ServiceGroup."""
        listing = self._listing(participant)
        references = (
            _smp.ServiceMetadataReference(href=request.host_url.rstrip("/") + _path(listing, one))
            for one in listing.on(self._network)
        )
        group = _smp.ServiceGroup(_participant(listing), _smp.ServiceMetadataReferenceCollection(*references))
        return _answer(group)

    def metadata(self, participant: str, document_id: str) -> Response:
        """``GET /{participant}/services/{document type}``: SignedServiceMetadata."""
        listing, offered = self._offered(participant, document_id)
        if listing.condition is Condition.MOVED:
            uid = x509.load_pem_x509_certificate(self._pki.smp.certificate.encode()).subject.rfc4514_string()
            href = request.host_url.rstrip("/") + _NEW_HOME + _path(listing, offered)
            return self._signed(_smp.Redirect(_smp.CertificateUID(uid), href=href))
        return self._signed(self._information(listing, offered))

    def moved(self, participant: str, document_id: str) -> Response:
        """``GET /moved/…``: the same, where a redirect leads."""
        return self._signed(self._information(*self._offered(participant, document_id)))

    def _listing(self, text: str) -> Listing:
        scheme, _, value = text.partition("::")
        agency, _, number = value.partition(":")
        listing = self._population.get(Participant(agency, number)) if scheme == PARTICIPANT_SCHEME else None
        if listing is None or not listing.on(self._network):
            abort(404)
        if listing.condition is Condition.FAILING:
            abort(500)
        return listing

    def _offered(self, participant: str, document_id: str) -> tuple[Listing, Offered]:
        listing = self._listing(participant)
        for one in listing.on(self._network):
            if str(one.document_id) == document_id:
                return listing, one
        abort(404)

    def _information(self, listing: Listing, offered: Offered) -> etree._Element:
        processes = (
            _smp.Process(_identifier("ProcessIdentifier", one), _smp.ServiceEndpointList(self._endpoint(listing)))
            for one in offered.processes
        )
        return _smp.ServiceInformation(
            _participant(listing),
            _identifier("DocumentIdentifier", offered.document_id),
            _smp.ProcessList(*processes),
        )

    def _endpoint(self, listing: Listing) -> etree._Element:
        is_old = listing.condition is Condition.OLD_CERTIFICATE
        pem = self._pki.ended if is_old else self._pki.access_point(self._network).certificate
        certificate = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
        return _smp.Endpoint(
            _wsa.EndpointReference(_wsa.Address(self._population.endpoint_url)),
            _smp.RequireBusinessLevelSignature("false"),
            _smp.ServiceActivationDate(_BEGIN),
            _smp.ServiceExpirationDate(_ENDS[listing.condition is Condition.ENDED]),
            _smp.Certificate(base64.b64encode(certificate).decode()),
            _smp.ServiceDescription("Demo access point"),
            _smp.TechnicalContactUrl("mailto:drift@adgangspunkt.example"),
            transportProfile=AS4_PROFILE,
        )

    def _signed(self, content: etree._Element) -> Response:
        signer = XMLSigner(
            method=SignatureConstructionMethod.enveloped,
            signature_algorithm=SignatureMethod.RSA_SHA256,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_0,
        )
        chain = [self._pki.smp.certificate, self._pki.issuing]
        metadata = _smp.SignedServiceMetadata(_smp.ServiceMetadata(content))
        return _answer(
            signer.sign(
                metadata,
                key=self._pki.smp.key,
                cert=[x509.load_pem_x509_certificate(one.encode()) for one in chain],
            )
        )


def _path(listing: Listing, offered: Offered) -> str:
    participant = f"{PARTICIPANT_SCHEME}::{listing.participant}".lower()
    return f"/{quote(participant, safe='')}/services/{quote(str(offered.document_id), safe='')}"


def _participant(listing: Listing) -> etree._Element:
    return _ids.ParticipantIdentifier(str(listing.participant).lower(), scheme=PARTICIPANT_SCHEME)


def _identifier(name: str, identifier: Identifier) -> etree._Element:
    return _ids(name, identifier.value, scheme=identifier.scheme)


def _answer(root: etree._Element) -> Response:
    return Response(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), mimetype="text/xml")


def create_smp(network: Network, population: Population, pki: Pki, switch: Switch) -> Flask:
    """The SMP of one network as a WSGI app."""
    app, smp = Flask(__name__, static_folder=None), _Smp(network, population, pki)
    app.before_request(switch.refusal)
    app.add_url_rule("/<participant>", "group", smp.group)
    app.add_url_rule("/<participant>/services/<document_id>", "metadata", smp.metadata)
    app.add_url_rule(f"{_NEW_HOME}/<participant>/services/<document_id>", "moved", smp.moved)
    return app
