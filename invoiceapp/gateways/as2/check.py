"""The connection test of an AS2 gateway: the way to the partner, and the certificates. Sends nothing."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Deadline, Refused, run_steps
from invoiceapp.gateways.certificates import Unusable, tls_context
from invoiceapp.gateways.failures import transport_error
from invoiceapp.gateways.steps import Step, network_steps
from invoiceapp.outbound.errors import OutboundError, failure
from invoiceapp.outbound.guard import Guard

from .certificates import fingerprint, is_encrypted, own_pair, partner_certificate, today
from .failures import PARTNER, unusable

PORTS = (80, 443)


class ConnectionTest:
    """Its steps, in order."""

    def __init__(self, config: Mapping[str, Any], guard: Guard, deadline: Deadline, seen: dict[str, str]) -> None:
        """``seen``: gets ``certificate_ends`` of the server."""
        self._config, self._guard, self._deadline, self._seen = config, guard, deadline, seen
        parts = urlsplit(str(config["url"]))
        self._is_https = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_https else 80)

    def run(self) -> list[CheckStep]:
        """All steps up to the first that fails."""
        steps: list[Step] = [*network_steps(self._guard, self._host, self._port, self._deadline, PARTNER, PORTS)]
        if self._is_https:
            steps.append((Text("Kryptering (TLS)", "Encryption (TLS)"), self._shake_hands))
        if self._config.get("sign"):
            steps.append((Text("Vores certifikat", "Our certificate"), self._look_at_ours))
        if self._needs_theirs:
            steps.append((Text("Partnerens certifikat", "The partner's certificate"), self._look_at_theirs))
        return run_steps(steps)

    @property
    def _needs_theirs(self) -> bool:
        asks = self._config.get("mdn") != "none" and self._config.get("mdn_signed")
        return bool(asks) or is_encrypted(self._config)

    def _shake_hands(self) -> Text:
        context = tls_context(self._config)
        try:
            with (
                self._guard.connect(self._host, self._port, self._deadline, PORTS) as plain,
                context.wrap_socket(plain, server_hostname=self._host) as secured,
            ):
                version, shown = secured.version(), secured.getpeercert()
        except (OutboundError, OSError) as error:
            raise transport_error(failure(error), PARTNER) from error
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str((shown or {})["notAfter"])), UTC)
        self._seen["certificate_ends"] = ends.isoformat()
        return Text(
            f"{version}; certifikatet gælder til {ends:%d.%m.%Y}.",
            f"{version}; the certificate ends on {ends:%Y-%m-%d}.",
        )

    def _look_at_ours(self) -> Text:
        return _described(lambda: own_pair(self._config, today())[0])

    def _look_at_theirs(self) -> Text:
        return _described(lambda: partner_certificate(self._config, today()))


def _described(load: Callable[[], x509.Certificate]) -> Text:
    try:
        certificate = load()
    except Unusable as error:
        raise unusable(error) from error
    _require_valid(certificate)
    shown, ends = fingerprint(certificate), certificate.not_valid_after_utc
    return Text(f"Gælder til {ends:%d.%m.%Y}. SHA-256 {shown}.", f"Ends on {ends:%Y-%m-%d}. SHA-256 {shown}.")


def _require_valid(certificate: x509.Certificate) -> None:
    if certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        return
    raise Refused(
        Text(
            "Certifikatet gælder ikke i dag. Lav eller bed om et nyt, og udveksl det med partneren.",
            "The certificate is not valid today. Make or ask for a new one, and exchange it with the partner.",
        )
    )
