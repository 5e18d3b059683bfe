"""The HTTP transport: one request a document, and evidence from the answer."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Collection, Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import FieldInvalid
from invoiceapp.domain.findings import Finding, Text, Turn, fatal, warning
from invoiceapp.gateways.base import (
    STRICT,
    CheckStep,
    Consignment,
    Deadline,
    Expiry,
    Receipt,
    Refused,
    Transport,
    TransportError,
    Unavailable,
    Unknown,
)
from invoiceapp.gateways.certificates import ends_of
from invoiceapp.gateways.failures import transport_error
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import Answer, HttpClient
from invoiceapp.outbound.tls import CertificateUnreadable, client_context

from . import settings
from .answer import KEPT_HEADERS, judge, reference_of, refusal
from .check import ConnectionTest
from .excerpt import excerpt
from .fields import FIELDS, KEY_PAIRS
from .request import basic, body_of, file_stem, headers_of, unusable

#: Seconds that the partner may take for one answer.
STEP = 60.0
PARTNER = Text("Modtagerens server", "The receiver's server")

_FIELDS = {field.name: field for field in FIELDS}


class HttpTransport(Transport):
    """Sends one request a document, each over a connection of its own."""

    kind = "http"
    label = Text("HTTP", "HTTP")
    description = Text(
        "Sender filen til modtagerens egen webadresse (API).",
        "Sends the file to the receiver's own web address (API).",
    )
    fields = FIELDS
    key_pairs = KEY_PAIRS
    PORTS = frozenset({80, 443})

    def __init__(self, config: Mapping[str, Any], guard: Guard = STRICT) -> None:
        super().__init__(config, guard)
        self._client: HttpClient | None = None

    @property
    def host(self) -> str | None:
        """The host in the address."""
        return urlsplit(self.config.get("url") or "").hostname

    @property
    def replay(self) -> Replay:
        """A partner that can be asked is asked; one that recognises repetitions gets one; else a person decides."""
        if self.config.get("status_url"):
            return Replay.PROBE
        return Replay.SAFE if self.config.get("recognises") else Replay.UNSAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``idempotency_key``, as in the header of that name; in a form also ``filename``, without its ending."""
        ids = {"idempotency_key": consignment.key}
        if self.config.get("body") == "multipart":
            ids["filename"] = file_stem(consignment, self.config)
        return ids

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """A certificate that is missing yet; PUT, which replaces what lies at its address (RFC 9110 9.3.4)."""
        found = []
        if settings.lacks_pair(config):
            text = settings.NO_PAIR
            found.append(fatal("IA-HTTP-NO-CERTIFICATE", text.da, text.en, turn=Turn.HERE, fix="gateway.certificate"))
        if config.get("method") != "PUT" or "{key}" in (config.get("url") or ""):
            return found
        return [
            *found,
            warning(
                "IA-HTTP-PUT-SHARED",
                "Med PUT kan et dokument erstatte det forrige, når adressen er den samme. Skriv {key} i adressen, eller brug POST.",
                "With PUT a document can replace the one before, as the address is the same. Write {key} in the address, or use "
                "POST.",
                turn=Turn.HERE,
                fix="gateway.url",
            ),
        ]

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """What is missing for the choices made, and what can be read in no way."""
        return settings.problems(config, frozenset(secrets))

    @classmethod
    def expiries(cls, config: Mapping[str, Any]) -> list[Expiry]:
        """Our certificate and the receiver's root certificates."""
        ours = ends_of(_FIELDS["certificate"], config) if config.get("auth") == "certificate" else []
        return ours + ends_of(_FIELDS["ca_certificate"], config)

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def check(self) -> list[CheckStep]:
        """Name, connection, encryption, access, and the look-up. Sends no document."""
        return ConnectionTest(self, Deadline(self.DEADLINE, STEP), PARTNER).run()

    def send(self, consignment: Consignment) -> Receipt:
        """One POST or PUT. ``reference`` is the partner's own, where its answer names one, else the key."""
        deadline = Deadline(self.DEADLINE, STEP)
        self.require_usable()
        body = body_of(consignment, self.config)
        # A signature counts from its time, so it is made last.
        headers = headers_of(self.config, body.content)
        url = settings.address(self.config["url"], consignment.key)
        headers |= {"Content-Type": body.media_type, "Idempotency-Key": consignment.key}
        try:
            answer = self.ask(self.config.get("method") or "POST", url, deadline, headers, body.content)
        except OutboundError as error:
            raise self._unanswered(error) from error
        failed = judge(answer, self.config, self._secrets())
        if failed is not None:
            raise failed
        return self._receipt(consignment, answer)

    def find(self, consignment: Consignment) -> Receipt | None:
        """Look the document up at the status address: 404 and 410 are a proven no."""
        try:
            answer = self.look_up(consignment.key, Deadline(self.DEADLINE, STEP))
        except (OutboundError, TransportError) as error:
            _cannot_say(str(error))
        if answer.status in (404, 410):
            return None
        if answer.status != 200 or (self.config.get("status_text") or "") not in answer.text:
            _cannot_say(f"{answer.status} {excerpt(answer.text, self._secrets())}")
        return self._receipt(consignment, answer, looked_up=True)

    def look_up(self, key: str, deadline: Deadline) -> Answer:
        """What the status address says of a key. Raises ``OutboundError`` or ``Refused``."""
        self.require_usable()
        url = settings.status_address(self.config["status_url"], key)
        return self.ask("GET", url, deadline, headers_of(self.config))

    def ask(
        self, method: str, url: str, deadline: Deadline, headers: Mapping[str, str], content: bytes = b""
    ) -> Answer:
        """One request. Raises ``OutboundError`` or ``Refused``."""
        if self._client is None:
            self._client = HttpClient(self.guard, self.context(), self.PORTS)
        return self._client.request(method, url, deadline, headers=headers, content=content)

    def context(self) -> ssl.SSLContext:
        """How the connection is encrypted. Raises ``Refused`` where a certificate cannot be used."""
        ours = self.config.get("auth") == "certificate"
        try:
            return client_context(
                self.config.get("ca_certificate"),
                self.config.get("certificate") if ours else None,
                self.config.get("private_key") if ours else None,
            )
        except CertificateUnreadable as error:
            raise Refused(_UNREADABLE[error.part], str(error)) from error

    def require_usable(self) -> None:
        """Nothing leaves by settings that are not whole. Raises ``Refused``."""
        given = frozenset(name for name, value in self.config.items() if value)
        for text in settings.problems(self.config, given).values():
            raise unusable(FieldInvalid(text))
        if settings.lacks_pair(self.config):
            raise Refused(settings.NO_PAIR)

    def _secrets(self) -> list[str]:
        """What no text may hold, in the forms that go over the wire."""
        values = [
            str(self.config[field.name]).strip() for field in FIELDS if field.secret and self.config.get(field.name)
        ]
        return [*values, basic(self.config)] if self.config.get("auth") == "basic" else values

    def _unanswered(self, error: OutboundError) -> TransportError:
        """No whole answer came."""
        if error.status is None:
            return transport_error(error, PARTNER)
        # Of a no, the code says enough; a yes without its end is none.
        answer = Answer(error.status, {}, b"")
        is_yes = answer.is_good or answer.status in settings.success_codes(self.config.get("success") or "200-299")
        return _half_answer(error) if is_yes else refusal(answer)

    def _receipt(self, consignment: Consignment, answer: Answer, *, looked_up: bool = False) -> Receipt:
        secrets = self._secrets()
        reference = None if looked_up else reference_of(answer, self.config)
        evidence = {
            "status": answer.status,
            "body_sha256": hashlib.sha256(answer.body).hexdigest(),
            "body": excerpt(answer.text, secrets),
            "headers": {
                name: excerpt(answer.headers[name], secrets) for name in KEPT_HEADERS if name in answer.headers
            },
            "idempotency_key": consignment.key,
            "sha256": consignment.payload.sha256,
            "looked_up": looked_up,
        }
        return Receipt(excerpt(reference or "", secrets) or consignment.key, evidence, proves_arrival=True)


def _half_answer(error: OutboundError) -> TransportError:
    return Unknown(
        Text(
            f"Modtagerens server svarede (kode {error.status}), men svaret kom ikke helt frem. Dokumentet kan være modtaget. "
            "Spørg modtageren, før du sender igen.",
            f"The receiver's server answered (code {error.status}), but the answer did not arrive whole. The document may have "
            "been received. Ask the receiver before you send again.",
        ),
        f"{error.status} {error}",
    )


def _cannot_say(detail: str) -> NoReturn:
    raise Unavailable(
        Text(
            "Modtagerens server kan ikke sige, om dokumentet er nået frem. Vi spørger igen af os selv.",
            "The receiver's server cannot say whether the document has arrived. We ask again by ourselves.",
        ),
        detail,
    )


_UNREADABLE = {
    "ca": Text(
        "Modtagerens rodcertifikat kan ikke læses, så intet er sendt. Indsæt det igen i PEM-form, med linjerne BEGIN og END.",
        "The receiver's root certificate cannot be read, so nothing was sent. Paste it again in PEM, with its BEGIN and END lines.",
    ),
    "certificate": Text(
        "Vores certifikat og dets private nøgle kan ikke bruges sammen, så intet er sendt. Indsæt begge igen i PEM-form; nøglen "
        "skal være uden adgangskode.",
        "Our certificate and its private key cannot be used together, so nothing was sent. Paste both again in PEM; the key must "
        "have no passphrase.",
    ),
}
