"""The Sproom transport. A repeated ``X-Request-Id`` is answered with the document that it made the first time."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import Consignment, Deadline, Incoming, LaterReceipt, Receipt, Unavailable
from invoiceapp.gateways.providers import Notice, ProviderTransport, as_reference, listed, members
from invoiceapp.gateways.steps import Step

from . import callbacks
from .fields import FIELDS, URLS
from .states import SCHEMES, STATES, telling, word_of

_REQUESTS = uuid.UUID("0f3a5a5e-9d0b-5c63-8a3d-5b9a2f6e1c47")
_DOCUMENT_ID = "x-sproom-documentid"
#: In which Sproom gives a response document out, the usual one first.
_RESPONSE_FORMATS = ("oioUbl2", "peppolBis3")
_MOST_RESPONSES = 20


class SproomTransport(ProviderTransport):
    """Sends the XML as it is; Sproom looks the receiver up and chooses the network."""

    kind = "sproom"
    label = Text("Sproom", "Sproom")
    description = Text(
        "Sender gennem Sproom til NemHandel og Peppol. Kræver en aftale med Sproom, men intet certifikat.",
        "Sends through Sproom to NemHandel and Peppol. Needs an agreement with Sproom, but no certificate.",
    )
    partner = Text("Udbyderen Sproom", "The provider Sproom")
    fields = FIELDS
    urls = URLS
    states = STATES
    header_names = frozenset({callbacks.SIGNATURE})

    @property
    def replay(self) -> Replay:
        """Safe: the request id tells Sproom a repetition."""
        return Replay.SAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``request_id``, as in the header."""
        return {"request_id": str(uuid.uuid5(_REQUESTS, consignment.key))}

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """Also a key for webhooks that is none."""
        found = super().problems(config, secrets)
        try:
            if config.get("webhook_key"):
                callbacks.public_key(str(config["webhook_key"]))
        except ValueError:
            found["webhook_key"] = _NO_KEY
        return found

    def access(self, deadline: Deadline) -> Text:
        """The companies below ours, which need the token to be seen."""
        answer = self.good(self.ask("GET", "/child-companies", deadline))
        companies = listed(answer.body)
        if companies is None:
            raise self.not_understood("child-companies")
        names = ", ".join(name for one in companies if (name := self.short(str(one.get("companyName") or ""))))
        if not names:
            return Text("Adgangsnøglen virker.", "The access key works.")
        return Text(
            f"Adgangsnøglen virker. Firmaer under den: {self.short(names)}.",
            f"The access key works. Companies below it: {self.short(names)}.",
        )

    def more_steps(self, deadline: Deadline) -> Iterable[Step]:
        """The key by which webhooks are proved, to be pasted; and whether they come here."""
        return (
            (_KEY_STEP, lambda: self._look_at_key(deadline)),
            (_WEBHOOK_STEP, lambda: self._look_at_webhooks(deadline)),
        )

    def submit(self, consignment: Consignment, deadline: Deadline) -> Receipt:
        """409 is our own document of an earlier try, on the first try too: nobody else has the id."""
        headers = {
            "Content-Type": "application/octet-stream",
            "X-Request-Id": self.wire_ids(consignment)["request_id"],
        }
        content = consignment.payload.content
        answer = self.ask("POST", "/documents", deadline, headers=headers, content=content, delivers=True)
        document = answer.headers.get(_DOCUMENT_ID)
        if answer.status == 409 and document:
            return self.taken(consignment, document, answer, earlier=True)
        return self.taken(consignment, document, self.good(answer, delivers=True))

    def reaches(self, participant: Participant, network: Network) -> bool:
        """Sproom chooses the network itself, so its answer holds for both."""
        scheme = SCHEMES.get(participant.scheme)
        if scheme is None or not participant.is_well_formed:
            raise Unavailable(
                Text(
                    "Sproom kan kun spørges om danske modtagere (EAN, CVR, SE og P-nummer).",
                    "Sproom can only be asked about Danish receivers (GLN, CVR, SE and P number).",
                )
            )
        path = f"/recipients/{quote(f'{scheme}:{participant.value}', safe=':')}"
        can_route = members(self.good(self.ask("GET", path, self.deadline())).body).get("canRoute")
        if not isinstance(can_route, bool):
            raise self.not_understood("recipients: no canRoute")
        return can_route

    def status(self, reference: str, wire_ids: Mapping[str, str]) -> LaterReceipt:
        """By the newest state that says something."""
        answer = self.good(self.ask("GET", f"/documents/{quote(reference, safe='')}/state", self.deadline()))
        history = listed(answer.body)
        if history is None:
            raise self.not_understood("state: no list")
        entry = telling(history)
        if entry is None:
            return self.later(reference, "Created")
        return self.later(reference, word_of(entry), str(entry.get("message") or ""), **self._facts(entry))

    def responses(self, reference: str) -> Iterator[Incoming]:
        """The response documents that Sproom lists, each in the format in which it gives it out."""
        deadline = self.deadline()
        answer = self.good(self.ask("GET", f"/documents/{quote(reference, safe='')}/responses", deadline))
        for entry in (listed(answer.body) or [])[:_MOST_RESPONSES]:
            response = as_reference(entry.get("documentId"))
            if response is not None:
                yield from self._response(response, deadline)

    def notice(self, incoming: Incoming) -> Notice:
        """Of the webhook "documentStatusChanged"."""
        found = callbacks.read(incoming.content)
        if found is None:
            raise self.unreadable("no documentId")
        return found

    def is_signed(self, incoming: Incoming) -> bool:
        """By Sproom's key, where it was pasted."""
        key, signature = self.config.get("webhook_key"), incoming.headers.get(callbacks.SIGNATURE)
        if not key or not signature:
            return False
        try:
            is_proved = callbacks.is_signed_with(str(key), incoming.content, signature)
        except ValueError:
            # A stored key that cannot be used proves nothing; the state is asked for.
            return False
        if not is_proved:
            raise self.unreadable("X-Signature does not fit")
        return True

    def _response(self, document: str, deadline: Deadline) -> Iterator[Incoming]:
        for name in _RESPONSE_FORMATS:
            answer = self.ask("GET", f"/documents/{document}/{name}", deadline, headers={"Accept": "*/*"})
            if answer.is_good and answer.body.lstrip()[:1] == b"<":
                yield Incoming(document, answer.body)
                return

    def _look_at_key(self, deadline: Deadline) -> Text:
        given = str(members(self.good(self.ask("GET", "/webhooks/key", deadline)).body).get("publicKey") or "")
        try:
            theirs = callbacks.public_key(given).public_numbers()
        except ValueError:
            raise self.not_understood("webhooks/key") from None
        if self._stored_key() == theirs:
            return Text("Den nøgle, I har indsat, er Sprooms.", "The key that you have pasted is Sproom's.")
        return Text(
            f"Indsæt denne nøgle i gatewayens indstillinger: {given.strip()}",
            f"Paste this key into the settings of the gateway: {given.strip()}",
        )

    def _look_at_webhooks(self, deadline: Deadline) -> Text:
        webhooks = listed(self.good(self.ask("GET", "/webhooks", deadline)).body)
        if webhooks is None:
            raise self.not_understood("webhooks: no list")
        ours = str(self.config.get("callback_url") or "")
        if any((one.get("type"), one.get("url")) == (callbacks.CHANGED, ours) for one in webhooks):
            return Text("Sproom sender beskeder hertil.", "Sproom sends messages here.")
        return Text(
            "Sproom sender ingen beskeder hertil, så vi spørger selv. Vil I have svar hurtigere, så bed Sproom sende "
            f"»{callbacks.CHANGED}« til {ours or 'adressen på gatewayens side'}.",
            "Sproom sends no messages here, so we ask by ourselves. If you want answers sooner, have Sproom send "
            f"“{callbacks.CHANGED}” to {ours or 'the address on the page of the gateway'}.",
        )

    def _stored_key(self) -> RSAPublicNumbers | None:
        try:
            return callbacks.public_key(str(self.config.get("webhook_key") or "")).public_numbers()
        except ValueError:
            return None

    def _facts(self, entry: Mapping[str, Any]) -> dict[str, str]:
        names = {"dateTime": "at", "deliveryType": "delivery_type", "statusCode": "status_code"}
        return {ours: self.short(str(entry[name])) for name, ours in names.items() if entry.get(name) is not None}


_KEY_STEP = Text("Nøgle til beskeder (webhooks)", "Key for messages (webhooks)")
_WEBHOOK_STEP = Text("Beskeder (webhooks)", "Messages (webhooks)")
_NO_KEY = Text(
    "Det er ikke Sprooms nøgle. Kør forbindelsestesten, og kopiér hele nøglen derfra.",
    "That is not Sproom's key. Run the connection test, and copy the whole key from there.",
)
