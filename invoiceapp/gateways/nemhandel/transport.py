"""The NemHandel transport: Peppol's AS4 with a signature of the document in the envelope."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

from cryptography import x509

from invoiceapp.domain.findings import Text
from invoiceapp.domain.network import OIOUBL_RESPONSE, Network
from invoiceapp.gateways.as4 import sbdh
from invoiceapp.gateways.as4.exchange import ErrorAnswered
from invoiceapp.gateways.as4.keys import today
from invoiceapp.gateways.as4.receiving import Opened
from invoiceapp.gateways.as4.sbdh import Header, Scope
from invoiceapp.gateways.as4.sending import AccessPoint
from invoiceapp.gateways.base import Consignment, TransportError
from invoiceapp.trust import chains

from . import asic, errors, verifying
from .fields import FIELDS, PartyName

#: Before the CVR number of a Danish company in a certificate (2.5.4.97; ETSI EN 319 412-1 5.1.4).
_NATIONAL = "NTRDK-"


class NemHandelTransport(AccessPoint):
    """OIOUBL to NemHandel's access points."""

    kind = "nemhandel"
    label = Text("NemHandel (AS4)", "NemHandel (AS4)")
    description = Text(
        "Sender direkte på NemHandel med jeres eget systemcertifikat fra MitID Erhverv. De fleste bruger en udbyder i stedet.",
        "Sends straight on NemHandel with a system certificate of your own from MitID Erhverv. Most use a provider instead.",
    )
    network = Network.NEMHANDEL
    networks = frozenset({Network.NEMHANDEL})
    accepts = frozenset({"oioubl-2.1"})
    fields = FIELDS
    # Whoever sends must be able to hear that a document was rejected (nemhandel.dk, questions and answers; error 24007).
    must_be_registered_for = OIOUBL_RESPONSE
    # How they are called in messages is open (``fields.PartyName``).
    checks_party: ClassVar[bool] = False

    def enveloped(self, consignment: Consignment, header: Header) -> bytes:
        """The document in its SBDH, with a container that signs envelope and document."""
        content = consignment.payload.content
        unsigned = sbdh.build(content, header)
        files = [
            (asic.DOCUMENT, unsigned),
            (asic.ORIGINAL, unsigned),
            (asic.DELEGATION, asic.transfer_delegation(header.sender, header.receiver)),
        ]
        ours = self.identity(today())
        signed = asic.container(files, ours.key, self._chain(ours.certificate), datetime.now(UTC))
        version = self.config.get("signature_version")
        scope = Scope(asic.SIGNATURE_SCOPE, base64.b64encode(signed).decode("ascii"), str(version) if version else None)
        return sbdh.build(content, replace(header, scopes=(*header.scopes, scope)))

    def party_id(self, certificate: x509.Certificate) -> str:
        """The CVR number in the certificate where the settings say so and it has one, else its CN."""
        company = chains.organization_identifier(certificate) or ""
        if self.config.get("party") != PartyName.COMMON_NAME and company.startswith(_NATIONAL):
            return company.removeprefix(_NATIONAL)
        return super().party_id(certificate)

    def refusal(self, error: ErrorAnswered) -> TransportError:
        """NemHandel's own codes, else as everywhere."""
        return errors.refusal(error) or super().refusal(error)

    def told_of(self, opened: Opened) -> Mapping[str, str]:
        """``asic``: whether the document signature holds (errors 21020 to 21022)."""
        return {"asic": verifying.finding(opened, str(self.config.get("anchors") or "")).value}

    def _chain(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        """Ours and its issuers, as far as the settings hold them."""
        given = x509.load_pem_x509_certificates(str(self.config["own_certificate"]).encode())
        try:
            return chains.verify(certificate, given, str(self.config.get("anchors") or ""), datetime.now(UTC))
        except chains.ChainError:
            # Issued elsewhere than what we trust in others: then what the authority put into the file.
            return given if given[:1] == [certificate] else [certificate]
