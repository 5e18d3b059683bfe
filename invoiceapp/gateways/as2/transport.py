"""The AS2 transport."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.gateways.base import (
    STRICT,
    CheckStep,
    Consignment,
    Deadline,
    Expiry,
    Incoming,
    LaterReceipt,
    PartnerCertificate,
    Receipt,
    Transport,
    TransportError,
    Unreadable,
    Verdict,
)
from invoiceapp.gateways.certificates import Unusable, tls_context
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import Answer, HttpClient

from . import certificates, settings
from .certificates import OWN, Keys, keys_of, partner_signers, today
from .check import PORTS, ConnectionTest
from .failures import SEEN_BEFORE, judge, outbound_failure, status_failure, unproved, unusable
from .fields import FIELDS
from .identity import key_of
from .mdn import LARGEST, Mdn, MdnInvalid, SeenBefore, about, is_mdn, mic_of, read
from .message import Draft, draft, http_headers, seal

#: Seconds that the partner may take for one step; a synchronous receipt is made while we wait.
STEP = 90.0


class As2Transport(Transport):
    """Posts one message a document and takes the partner's receipt, at once or later."""

    kind = "as2"
    label = Text("AS2", "AS2")
    description = Text(
        "Sender dokumentet signeret og krypteret direkte til partnerens AS2-server og får en signeret kvittering.",
        "Sends the document signed and encrypted straight to the partner's AS2 server and gets a signed receipt.",
    )
    yes_means = Text(
        "Partnerens AS2-server har taget det; der er ikke kommet nogen kvittering (MDN).",
        "The partner's AS2 server has taken it; no receipt (MDN) has come.",
    )
    proof_means = Text(
        "Partnerens AS2-server har kvitteret for det (MDN).",
        "The partner's AS2 server has given a receipt for it (MDN).",
    )
    fields = FIELDS
    inbound_field = "mdn_url"
    receives = True
    header_names = frozenset({"as2-"})
    key_pairs = (OWN,)
    partner_certificates = (
        PartnerCertificate(
            Text("Partnerens AS2-certifikat", "The partner's AS2 certificate"),
            certificate="partner_certificate",
            next_certificate="partner_next_certificate",
            switch_on="partner_switch_on",
        ),
    )

    def __init__(self, config: Mapping[str, Any], guard: Guard = STRICT) -> None:
        super().__init__(config, guard)
        self._client: HttpClient | None = None
        self._keys: Keys | None = None

    @property
    def host(self) -> str | None:
        """The host of the partner's address."""
        return urlsplit(str(self.config["url"])).hostname

    @property
    def replay(self) -> Replay:
        """Safe where the partner recognises the Message-ID, which is the same in every attempt."""
        return Replay.SAFE if self.config.get("dedupes") else Replay.UNSAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``message_id``, and the ``mic`` (base64) by ``mic_algorithm`` that the receipt must answer with."""
        prepared = draft(consignment, self.config)
        return {"message_id": prepared.message_id, "mic": prepared.mic_text, "mic_algorithm": prepared.mic.algorithm}

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """Keys and certificates that are missing or do not fit, and a receipt without address."""
        return settings.problems(config, secrets)

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """No proof, weak proof, or no encryption."""
        return settings.findings(config)

    @classmethod
    def expiries(cls, config: Mapping[str, Any]) -> list[Expiry]:
        """Our certificates and the partner's, the current and the next."""
        return certificates.expiries(config)

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def check(self) -> list[CheckStep]:
        """Name, connection, encryption, certificates. Sends nothing."""
        return ConnectionTest(self.config, self.guard, Deadline(self.DEADLINE, STEP), self.seen).run()

    def send(self, consignment: Consignment) -> Receipt:
        """Post the message. ``reference`` is its Message-ID."""
        deadline = Deadline(self.DEADLINE, STEP)
        prepared = draft(consignment, self.config)
        try:
            sealed = seal(prepared, self.config, self._todays_keys())
        except Unusable as error:
            raise unusable(error) from error
        headers = http_headers(prepared, sealed, consignment, self.config) | self._login()
        try:
            answer = self._opened().request(
                "POST", str(self.config["url"]), deadline, headers=headers, content=sealed.body, most=LARGEST
            )
        except OutboundError as error:
            self.close()
            raise outbound_failure(error) from error
        if not answer.is_good:
            raise status_failure(answer)
        return self._receipt(prepared, consignment, answer)

    def key_of(self, incoming: Incoming) -> str | None:
        """The key in the Original-Message-ID of a receipt, not yet proved."""
        try:
            return key_of(about(incoming.headers, incoming.content), str(self.config["as2_from"]))
        except MdnInvalid as error:
            raise _unreadable(error) from error

    def read(self, incoming: Incoming, wire_ids: Mapping[str, str]) -> LaterReceipt:
        """A receipt that came later, with all checks of one that comes at once.

        Where the partner has something other than what we sent, the verdict is ``REJECTED`` too, as none says that nobody
        knows; its text tells the difference. A repetition that is recognised without a MIC that is ours is ``Unreadable``:
        the delivery goes on waiting for the receipt of the first try.
        """
        expected = mic_of(f"{wire_ids.get('mic', '')}, {wire_ids.get('mic_algorithm', '')}")
        try:
            if expected is None:
                raise MdnInvalid("nothing is known of our MIC")
            mdn = self._mdn(incoming.headers, incoming.content)
            judge(mdn, wire_ids.get("message_id", ""), expected)
        except MdnInvalid as error:
            raise _unreadable(error) from error
        except TransportError as error:
            return LaterReceipt(Verdict.REJECTED, mdn.message_id, mdn.evidence(), error.text)
        return LaterReceipt(Verdict.ARRIVED, mdn.message_id, mdn.evidence())

    def _todays_keys(self) -> Keys:
        day = today()
        if self._keys is None or self._keys.day != day:
            self._keys = keys_of(self.config, day)
        return self._keys

    def _opened(self) -> HttpClient:
        if self._client is None:
            self._client = HttpClient(self.guard, tls_context(self.config), PORTS)
        return self._client

    def _login(self) -> dict[str, str]:
        if not self.config.get("username"):
            return {}
        pair = f"{self.config['username']}:{self.config.get('password') or ''}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"}

    def _receipt(self, prepared: Draft, consignment: Consignment, answer: Answer) -> Receipt:
        """What a 2xx answer proves. Raises a ``TransportError``."""
        evidence = {
            "message_id": prepared.message_id,
            "sent_mic": prepared.mic_text,
            "sent_mic_algorithm": prepared.mic.algorithm,
            "sha256": consignment.payload.sha256,
            "status": answer.status,
        }
        wanted = self.config.get("mdn")
        if wanted == "none" or (wanted == "async" and not is_mdn(answer.headers)):
            return Receipt(prepared.message_id, evidence, proves_arrival=False, final=wanted == "none", due=self._due)
        try:
            mdn = self._mdn(answer.headers, answer.body)
            judge(mdn, prepared.message_id, prepared.mic)
        except MdnInvalid as error:
            raise unproved(error) from error
        return Receipt(prepared.message_id, evidence | mdn.evidence(), proves_arrival=True)

    @property
    def _due(self) -> timedelta | None:
        """How long an asynchronous receipt may take."""
        return timedelta(hours=int(self.config.get("mdn_hours") or 4)) if self.config.get("mdn") == "async" else None

    def _mdn(self, headers: Mapping[str, str], body: bytes) -> Mdn:
        """The receipt, signed where we demand that. Raises ``MdnInvalid``."""
        if not self.config.get("mdn_signed"):
            return read(headers, body, (), signed=False)
        try:
            signers = partner_signers(self.config, today())
        except Unusable as error:
            raise MdnInvalid(f"no certificate of the partner's: {error}") from error
        return read(headers, body, signers, signed=True)


def _unreadable(error: MdnInvalid) -> Unreadable:
    if isinstance(error, SeenBefore):
        return Unreadable(SEEN_BEFORE, str(error))
    return Unreadable(
        Text(
            "Der kom noget til kvitteringsadressen, som ikke er en gyldig kvittering fra partneren. Intet er ændret. "
            "Kommer det igen, så kontrollér partnerens certifikat i gatewayen.",
            "Something came to the address for receipts that is no valid receipt of the partner's. Nothing was changed. "
            "Where it comes again, check the partner's certificate in the gateway.",
        ),
        str(error),
    )
