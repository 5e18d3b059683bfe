"""The transport of a provider that is described by settings."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import FieldInvalid
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import (
    Consignment,
    Deadline,
    Expiry,
    Incoming,
    LaterReceipt,
    Receipt,
    Rejected,
    Unavailable,
    Verdict,
)
from invoiceapp.gateways.certificates import ends_of, tls_context
from invoiceapp.gateways.common_fields import CA_CERTIFICATE
from invoiceapp.gateways.http import request as http
from invoiceapp.gateways.http.answer import value_at
from invoiceapp.gateways.providers import (
    NOT_PASSED_ON,
    ON_ITS_WAY,
    PASSED_ON,
    By,
    Meaning,
    Notice,
    ProviderTransport,
    as_reference,
)
from invoiceapp.outbound.http import Answer

from . import settings
from .fields import FIELDS, SIGNATURE_HEADERS
from .request import body_of, headers_of, steady_headers, values_of
from .settings import value_of

_REPLAY = {"conflict": Replay.SAFE, "recognised": Replay.SAFE, "asked": Replay.PROBE}
_REACH = {
    "peppol": frozenset({Network.PEPPOL}),
    "nemhandel": frozenset({Network.NEMHANDEL}),
    "both": frozenset({Network.PEPPOL, Network.NEMHANDEL}),
}
_GONE = (404, 410)


class AccessPointTransport(ProviderTransport):
    """Submits, asks and reads as its settings say."""

    kind = "accesspoint"
    label = Text("Anden udbyder (API)", "Other provider (API)")
    description = Text(
        "Sender gennem en udbyder af Peppol eller NemHandel, hvis API beskrives med indstillinger.",
        "Sends by a provider of Peppol or NemHandel whose API is described by settings.",
    )
    partner = Text("Udbyderen", "The provider")
    fields = FIELDS
    header_names = SIGNATURE_HEADERS

    @property
    def replay(self) -> Replay:
        """As the provider treats a key that comes again."""
        return _REPLAY.get(value_of(self.config, "repeats"), Replay.UNSAFE)

    @classmethod
    def networks_of(cls, config: Mapping[str, Any]) -> frozenset[Network]:
        """Those that the agreement covers."""
        return _REACH.get(value_of(config, "reach"), frozenset())

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """What is missing for the choices made, what can be read in no way, and an address that is not safe."""
        return settings.problems(config, frozenset(secrets)) | super().problems(config, secrets)

    @classmethod
    def expiries(cls, config: Mapping[str, Any]) -> list[Expiry]:
        """The provider's root certificates."""
        return ends_of(CA_CERTIFICATE, config)

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``idempotency_key``, as in the header for it."""
        return {"idempotency_key": consignment.key}

    def context(self) -> ssl.SSLContext | None:
        """With the provider's own root certificate where it has one."""
        return tls_context(self.config)

    def access_headers(self) -> dict[str, str]:
        """By the way that was chosen, with the headers that are the same for every document."""
        self._require_usable()
        return http.headers_of({**self.config, "headers": steady_headers(self.config), "signature": "none"})

    def secrets(self) -> list[str]:
        """Also as they go over the wire."""
        is_basic = value_of(self.config, "auth") == "basic"
        return [*super().secrets(), *([http.basic(self.config)] if is_basic else [])]

    def access(self, deadline: Deadline) -> Text:
        """HEAD changes nothing at the provider (RFC 9110 9.2.1)."""
        path = self._path("submit_path", dict.fromkeys(settings.TOKENS["submit_path"], "check"))
        answer = self.ask("HEAD", path, deadline)
        if answer.status in (401, 402, 403, 407) or answer.status // 100 == 3:
            raise self.refusal(answer, delivers=False)
        return Text(
            f"Udbyderen svarer {answer.status}; adgangen er ikke afvist. Send en prøve for at være sikker.",
            f"The provider answers {answer.status}; the access was not refused. Send a sample to be sure.",
        )

    def reaches(self, participant: Participant, network: Network) -> bool:
        """As the look-up says, where there is one."""
        raw = value_of(self.config, "lookup_path")
        if not raw or network not in self.networks_of(self.config):
            raise Unavailable(_CANNOT_ASK)
        self._require_usable()
        scheme, value = settings.spoken(participant, self.config)
        answer = self.ask("GET", self._path("lookup_path", {"scheme": scheme, "value": value}), self.deadline())
        says = value_of(self.config, "lookup_answer")
        if not says and answer.status in _GONE:
            return False
        self.good(answer)
        if not says:
            return True
        found = value_at(answer.body, settings.json_path(says))
        if found is None:
            raise self.not_understood("look-up without the field that says yes or no")
        return found.lower() == value_of(self.config, "lookup_yes").lower()

    def submit(self, consignment: Consignment, deadline: Deadline) -> Receipt:
        """One request. ``reference`` is the provider's id; our key where it only says that it has the document already."""
        self._require_usable()
        values = values_of(consignment, self.config)
        path = self._path("submit_path", values)
        try:
            headers = headers_of(self.config, values)
            body = body_of(consignment, self.config, values)
        except FieldInvalid as error:
            raise Rejected(_unfit(error), str(error)) from error
        headers |= {"Content-Type": body.media_type, value_of(self.config, "key_header"): consignment.key}
        answer = self.ask(
            value_of(self.config, "method"), path, deadline, headers=headers, content=body.content, delivers=True
        )
        if answer.status == 409 and value_of(self.config, "repeats") == "conflict":
            return self._taken_earlier(consignment, answer)
        return self._receipt(consignment, self.good(answer, delivers=True))

    def search(self, consignment: Consignment, deadline: Deadline) -> Receipt | None:
        """404 and 410 are a proven no."""
        answer = self.ask("GET", self._path("find_path", {"key": consignment.key}), deadline)
        if answer.status in _GONE:
            return None
        return self._asked_later(self.taken(consignment, self._id_of(self.good(answer)), answer, looked_up=True))

    def status(self, reference: str, wire_ids: Mapping[str, str]) -> LaterReceipt:
        """The state in the answer of the status address; nothing final, and nothing to tell, where it cannot be asked."""
        ids = {"id": reference, "key": wire_ids.get("idempotency_key", "")}
        template = value_of(self.config, "status_path")
        is_blind = reference == ids["key"] and "{key}" not in template
        if not template or is_blind:
            return LaterReceipt(Verdict.ON_ITS_WAY, reference, {"by": By.PROVIDER.value})
        answer = self.good(self.ask("GET", self._path("status_path", ids), self.deadline()))
        word = self._value(answer.body, "state_path")
        if word is None:
            raise self.not_understood("no state in the answer")
        return self.later(reference, word, self._value(answer.body, "reason_path") or "")

    def meaning(self, word: str) -> Meaning:
        """Of the words in the settings; any other is never a delivery."""
        plain = word.strip().lower()
        meanings = {"rejected_words": NOT_PASSED_ON, "waiting_words": ON_ITS_WAY, "delivered_words": PASSED_ON}
        found = (one for name, one in meanings.items() if plain in settings.words(value_of(self.config, name)))
        return next(found, None) or super().meaning(word)

    def notice(self, incoming: Incoming) -> Notice:
        """Id and state where the settings say that they stand."""
        reference = as_reference(self._value(incoming.content, "webhook_id_path"))
        if reference is None:
            raise self.unreadable("no id of a document")
        said = self._value(incoming.content, "reason_path") or ""
        return Notice(reference, self._value(incoming.content, "webhook_state_path") or "", said)

    def is_signed(self, incoming: Incoming) -> bool:
        """HMAC-SHA256 of the raw content, in hexadecimal, with or without ``sha256=`` before it."""
        secret = str(self.config.get("webhook_secret") or "").strip()
        shown = incoming.headers.get(value_of(self.config, "webhook_header").lower(), "").strip()
        if not secret or not shown:
            return False
        made = hmac.new(secret.encode(), incoming.content, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(made.encode(), shown.lower().removeprefix("sha256=").encode()):
            raise self.unreadable("the signature is wrong")
        return True

    def _require_usable(self) -> None:
        """Nothing leaves by settings that are not whole. Raises ``Refused``."""
        given = frozenset(name for name, value in self.config.items() if value)
        for text in self.problems(self.config, given).values():
            raise http.unusable(FieldInvalid(text))

    def _path(self, name: str, values: Mapping[str, str]) -> str:
        """Raises ``Refused`` where the template cannot be used, ``Rejected`` where a value leads out of it."""
        self._require_usable()
        try:
            return settings.path(value_of(self.config, name), values)
        except FieldInvalid as error:
            raise Rejected(_unfit(error), str(error)) from error

    def _value(self, content: bytes, name: str) -> str | None:
        """What stands at the JSON path of a setting; None where there is none."""
        raw = value_of(self.config, name)
        return value_at(content, settings.json_path(raw)) if raw else None

    def _id_of(self, answer: Answer) -> str | None:
        header = answer.headers.get(value_of(self.config, "id_header").lower())
        # An address ends with the id.
        return header.rstrip("/").rpartition("/")[2] if header else self._value(answer.body, "id_path")

    def _receipt(self, consignment: Consignment, answer: Answer) -> Receipt:
        """What a yes proves. Raises ``Rejected`` where it says at once that the document goes nowhere."""
        word = self._value(answer.body, "state_path") or ""
        meaning = self.meaning(word)
        if meaning.verdict is Verdict.REJECTED:
            later = self.later("", word, self._value(answer.body, "reason_path") or "")
            raise Rejected(later.text or meaning.text, f"{answer.status} {self.short(word)}")
        if meaning.verdict is not Verdict.ARRIVED:
            return self._asked_later(self.taken(consignment, self._id_of(answer), answer))
        facts = {"by": meaning.by.value, "word": self.short(word)}
        receipt = self.taken(consignment, self._id_of(answer), answer, **facts)
        return replace(receipt, proves_arrival=True, final=True, due=None)

    def _taken_earlier(self, consignment: Consignment, answer: Answer) -> Receipt:
        """What else the answer says is about the repetition, not about the document."""
        known = as_reference(self._id_of(answer))
        if known is None:
            # Many mean by it, too, that a number is taken.
            self.require_repetition(consignment, answer)
        return self._asked_later(self.taken(consignment, known or consignment.key, answer, taken_earlier=True))

    def _asked_later(self, receipt: Receipt) -> Receipt:
        """Final where nobody can be asked what becomes of it."""
        return receipt if value_of(self.config, "status_path") else replace(receipt, final=True, due=None)


def _unfit(error: FieldInvalid) -> Text:
    return Text(
        f"Kundens elektroniske adresse kan ikke bruges hos udbyderen, så intet er sendt. Ret den hos kunden. {error.text.da}",
        f"The customer's electronic address cannot be used at the provider, so nothing was sent. Correct it at the customer. "
        f"{error.text.en}",
    )


_CANNOT_ASK = Text(
    "Udbyderen kan ikke spørges om det efter gatewayens indstillinger.",
    "By the settings of the gateway the provider cannot be asked about that.",
)
