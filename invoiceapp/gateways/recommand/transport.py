"""The Recommand transport: one request sends the document, and its answer is all that is ever known."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import FieldInvalid
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import Consignment, Deadline, Receipt, Refused, Rejected, TransportError, Unavailable
from invoiceapp.gateways.http.request import unusable
from invoiceapp.gateways.http.settings import header_value
from invoiceapp.gateways.providers import ProviderTransport, members, told
from invoiceapp.outbound.http import Answer

from .fields import FIELDS, URLS

_JSON = {"Content-Type": "application/json"}
#: An address that nobody has: asking for it needs the key and changes nothing.
_NOBODY = "0184:00000000"
_IDS = {"peppolMessageId": "peppol_message_id", "envelopeId": "envelope_id", "deliveryStatus": "delivery_status"}
_DELIVERED = "delivered"


class RecommandTransport(ProviderTransport):
    """Sends while we wait. Knows no keys and keeps its own record only afterwards, so nothing can be asked of a lost answer."""

    kind = "recommand"
    label = Text("Recommand", "Recommand")
    description = Text(
        "Sender over Peppol gennem jeres aftale med Recommand.",
        "Sends over Peppol by your agreement with Recommand.",
    )
    partner = Text("Udbyderen Recommand", "The provider Recommand")
    urls = URLS
    fields = FIELDS
    accepts = frozenset({"peppol-bis-3"})
    networks = frozenset({Network.PEPPOL})
    # The answer is final, and its callbacks carry no proof: a hint to ask is of no use where nothing can be asked.
    polls = False
    receives = False

    @property
    def replay(self) -> Replay:
        """Unsafe: a repetition is a second document."""
        return Replay.UNSAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``document_sha256``: no id of ours travels, so the document itself is what both sides know."""
        return {"document_sha256": consignment.payload.sha256}

    def access_headers(self) -> dict[str, str]:
        """Key and secret (RFC 7617)."""
        try:
            for name in ("api_key", "api_secret"):
                header_value(str(self.config.get(name) or ""))
        except FieldInvalid as error:
            raise unusable(error) from error
        return {"Authorization": f"Basic {self._pair()}"}

    def secrets(self) -> list[str]:
        """Also as they go over the wire."""
        return [*super().secrets(), self._pair()]

    def access(self, deadline: Deadline) -> Text:
        """Whether the key is taken; whether it may send for the company shows only when it sends."""
        self._verify(_NOBODY, deadline)
        return Text("Adgangsnøglen virker.", "The access key works.")

    def reaches(self, participant: Participant, network: Network) -> bool:
        """Its yes is one; its no may be a register that did not answer."""
        if network not in self.networks:
            raise Unavailable(_PEPPOL_ONLY)
        if self._verify(str(participant), self.deadline()):
            return True
        raise Unavailable(_PERHAPS)

    def submit(self, consignment: Consignment, deadline: Deadline) -> Receipt:
        """One request. A yes says that Peppol has it: Recommand answers after its access point has the other's receipt."""
        if consignment.receiver is None:
            raise Rejected(_NO_RECEIVER)
        body = {
            "recipient": str(consignment.receiver),
            "documentType": "xml",
            "document": consignment.payload.content.decode(),
        }
        path = f"/api/v1/{self.config.get('company')}/send"
        answer = self.ask("POST", path, deadline, headers=_JSON, content=_written(body), delivers=True)
        found = members(self.good(answer, delivers=True).body)
        if found.get("success") is False:
            raise Rejected(_declined(self.short(told(found))), f"{answer.status} success false")
        if found.get("sentOverPeppol") is False:
            raise Rejected(_NOT_SENT, f"{answer.status} sentOverPeppol false")
        if found.get("success") is not True or found.get("sentOverPeppol") is not True:
            raise self.unclear(f"{answer.status} without success and sentOverPeppol")
        return self._receipt(consignment, answer, found)

    def refusal(self, answer: Answer, *, delivers: bool) -> TransportError:
        """A document for a company that Recommand does not know is answered by 404."""
        if delivers and answer.status == 404:
            return Refused(_NO_COMPANY, "404")
        return super().refusal(answer, delivers=delivers)

    def _pair(self) -> str:
        pair = f"{self.config.get('api_key') or ''}:{str(self.config.get('api_secret') or '').strip()}"
        return base64.b64encode(pair.encode()).decode("ascii")

    def _verify(self, address: str, deadline: Deadline) -> bool:
        content = _written({"peppolAddress": address})
        answer = self.good(self.ask("POST", "/api/v1/verify", deadline, headers=_JSON, content=content))
        is_valid = members(answer.body).get("isValid")
        if not isinstance(is_valid, bool):
            raise self.not_understood("verify without isValid")
        return is_valid

    def _receipt(self, consignment: Consignment, answer: Answer, found: Mapping[str, Any]) -> Receipt:
        ids = {ours: self.short(str(found[theirs])) for theirs, ours in _IDS.items() if found.get(theirs)}
        # Later versions of the service tell the state too, and answer before the other side has taken it.
        has_arrived = ids.get("delivery_status", _DELIVERED) == _DELIVERED
        receipt = self.taken(consignment, found.get("id"), answer, **ids, by="network" if has_arrived else "provider")
        return replace(receipt, proves_arrival=has_arrived, final=True, due=None)


def _written(found: Mapping[str, Any]) -> bytes:
    return json.dumps(found).encode("ascii")


def _declined(said: str) -> Text:
    quoted = Text(f": »{said}«", f": “{said}”") if said else Text("", "")
    return Text(
        f"Recommand afviste dokumentet{quoted.da}. Intet er sendt. Ret det, og send igen.",
        f"Recommand rejected the document{quoted.en}. Nothing was sent. Correct it, and send again.",
    )


_NOT_SENT = Text(
    "Recommand kunne ikke sende dokumentet over Peppol, så intet er leveret. Kontrollér, at kunden kan modtage over Peppol, eller "
    "vælg en anden gateway.",
    "Recommand could not send the document over Peppol, so nothing was delivered. Check that the customer can receive over Peppol, "
    "or choose another gateway.",
)
_NO_RECEIVER = Text(
    "Fakturaen har ingen elektronisk adresse på køberen, så intet er sendt. Giv kunden en adresse, f.eks. CVR eller EAN.",
    "The invoice has no electronic address of the buyer, so nothing was sent. Give the customer an address, for example CVR or "
    "GLN.",
)
_NO_COMPANY = Text(
    "Recommand kender ikke firmaets id, så intet er sendt. Kontrollér id og adresse i gatewayens indstillinger.",
    "Recommand does not know the company's id, so nothing was sent. Check id and address in the settings of the gateway.",
)
_PEPPOL_ONLY = Text("Recommand kan kun spørges om Peppol.", "Recommand can only be asked about Peppol.")
_PERHAPS = Text(
    "Recommand kan ikke finde modtageren, men siger det samme, når et register ikke svarer. Det er intet bevis.",
    "Recommand cannot find the receiver, but says the same when a register does not answer. That is no proof.",
)
