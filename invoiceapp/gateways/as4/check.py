"""The connection test of an access point: our own certificate. Receivers' access points differ, and registers are asked elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Refused, run_steps
from invoiceapp.gateways.certificates import Unusable
from invoiceapp.outbound.http import HttpClient
from invoiceapp.trust.chains import ChainError, Reason, fingerprint

from .failures import disbelieved, unusable
from .keys import Believed, certificate_of, identity_of, today
from .wss import common_name


class CertificateTest:
    """Its steps, in order."""

    def __init__(self, config: Mapping[str, Any], believed: Believed, client: HttpClient) -> None:
        self._config, self._believed, self._client = config, believed, client

    def run(self) -> list[CheckStep]:
        """All steps up to the first that fails."""
        return run_steps(
            [
                (Text("Vores certifikat", "Our certificate"), self._look_at_ours),
                (Text("Vores private nøgle", "Our private key"), self._look_at_key),
                (Text("Udstedt af netværket", "Issued by the network"), self._look_at_chain),
            ]
        )

    def _look_at_ours(self) -> Text:
        certificate = self._certificate()
        if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
            raise Refused(
                Text(
                    "Certifikatet gælder ikke i dag. Bed udstederen om et nyt, og læg det op.",
                    "The certificate is not valid today. Ask the authority for a new one, and upload it.",
                )
            )
        name, ends, shown = common_name(certificate), certificate.not_valid_after_utc, fingerprint(certificate)
        return Text(
            f"{name}. Gælder til {ends:%d.%m.%Y}. SHA-256 {shown}.",
            f"{name}. Ends on {ends:%Y-%m-%d}. SHA-256 {shown}.",
        )

    def _look_at_key(self) -> Text:
        try:
            identity = identity_of(self._config, today())
        except Unusable as error:
            raise unusable(error) from error
        bits = identity.key.key_size
        return Text(f"RSA på {bits} bit; passer til certifikatet.", f"RSA of {bits} bits; fits the certificate.")

    def _look_at_chain(self) -> Text:
        """As a receiver would: by the same roots that we believe others by."""
        try:
            self._believed.require(self._certificate(), self._client)
        except ChainError as error:
            if error.reason is Reason.NO_ANCHORS:
                raise disbelieved(error) from error
            raise _not_believed(error) from error
        return Text(
            "Udstedt af et af rodcertifikaterne, og ikke spærret.", "Issued by one of the roots, and not revoked."
        )

    def _certificate(self) -> x509.Certificate:
        try:
            return certificate_of(self._config, today())
        except Unusable as error:
            raise unusable(error) from error


def _not_believed(error: ChainError) -> Refused:
    return Refused(
        Text(
            "Vores eget certifikat kan ikke føres tilbage til rodcertifikaterne, er udløbet eller er spærret, så andre vil afvise "
            "det. Kontrollér, at certifikat og rodcertifikater hører til samme netværk (drift eller test), og at det udstedende "
            "certifikat er med.",
            "Our own certificate does not lead to the roots, has ended or was revoked, so others will reject it. Check that "
            "certificate and roots belong to the same network (live or test), and that the issuing certificate is among them.",
        ),
        str(error),
    )
