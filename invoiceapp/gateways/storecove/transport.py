"""The Storecove transport: a submission with our guid, and the evidence of the sending."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import PARTICIPANT_SCHEME, Network
from invoiceapp.gateways.base import (
    Consignment,
    Deadline,
    Incoming,
    LaterReceipt,
    Receipt,
    Refused,
    Rejected,
    TransportError,
    Unavailable,
    Verdict,
)
from invoiceapp.gateways.providers import (
    NOT_PASSED_ON,
    ON_ITS_WAY,
    PASSED_ON,
    By,
    Meaning,
    Notice,
    ProviderTransport,
    as_reference,
    listed,
    members,
)
from invoiceapp.gateways.shared_secret import HEADERS, shows
from invoiceapp.outbound.http import Answer

from .fields import FIELDS, URLS
from .schemes import spoken

_JSON = {"Content-Type": "application/json"}
#: Bytes. The evidence holds the whole document once more, with its attachments (10 MB at most) in base64.
_LARGEST_EVIDENCE = 30_000_000
_FACTS = ("message_id", "transmission_id", "receiving_accesspoint", "timestamp")
_LONGEST_RECEIPT = 100_000
#: Names by which a message may call the submission; the public texts show no example.
_NAMES = ("document_submission_guid", "submission_guid", "document_guid", "guid")
_SENT, _PENDING = "succeeded", "pending"


class StorecoveTransport(ProviderTransport):
    """Submits UBL that Storecove reads and writes anew for the receiver."""

    kind = "storecove"
    label = Text("Storecove", "Storecove")
    description = Text(
        "Sender over Peppol gennem jeres aftale med Storecove.",
        "Sends over Peppol by your agreement with Storecove.",
    )
    partner = Text("Udbyderen Storecove", "The provider Storecove")
    urls = URLS
    fields = FIELDS
    accepts = frozenset({"peppol-bis-3"})
    networks = frozenset({Network.PEPPOL})
    header_names = HEADERS
    states: ClassVar[Mapping[str, Meaning]] = {
        _PENDING: ON_ITS_WAY,
        _SENT: PASSED_ON,
        "failed": NOT_PASSED_ON,
        "no_action_taken": Meaning(
            Verdict.ON_ITS_WAY,
            By.PROVIDER,
            Text(
                "Storecove melder, at der ikke er gjort noget ved dokumentet. Det regnes ikke for leveret. Se efter hos Storecove.",
                "Storecove says that nothing was done about the document. It does not count as delivered. Look at Storecove.",
            ),
        ),
    }

    @property
    def replay(self) -> Replay:
        """Safe: Storecove sends a guid only once. A repetition is answered by a no that names the guid."""
        return Replay.SAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``idempotency_guid``, from the key."""
        return {"idempotency_guid": str(uuid.uuid5(uuid.NAMESPACE_OID, consignment.key))}

    def access(self, deadline: Deadline) -> Text:
        """The company that the number stands for."""
        answer = self.ask("GET", f"/legal_entities/{self._legal_entity()}", deadline)
        if answer.status == 404:
            raise _unknown_entity(self.config.get("legal_entity"))
        name = self.short(str(members(self.good(answer).body).get("party_name") or ""))
        return Text(
            f"Adgangsnøglen virker; nummeret hører til {name or 'et firma hos Storecove'}.",
            f"The access key works; the number belongs to {name or 'a company at Storecove'}.",
        )

    def reaches(self, participant: Participant, network: Network) -> bool:
        """Whether it is registered on Peppol for invoices, as Storecove sees it."""
        address = spoken(participant)
        if network not in self.networks or address is None:
            raise Unavailable(_no_name(participant) if address is None else _PEPPOL_ONLY)
        question = {
            "documentTypes": ["invoice"], "network": "peppol", "metaScheme": PARTICIPANT_SCHEME,
            "scheme": address[0], "identifier": address[1],
        }  # fmt: skip
        answer = self.ask("POST", "/discovery/receives", self.deadline(), headers=_JSON, content=_written(question))
        code = members(self.good(answer).body).get("code")
        if code not in ("OK", "NOK"):
            raise self.not_understood(f"discovery: {code}")
        return bool(code == "OK")

    def submit(self, consignment: Consignment, deadline: Deadline) -> Receipt:
        """One submission. ``reference`` is Storecove's guid; after a repetition ours, as Storecove does not tell its own."""
        guid = self.wire_ids(consignment)["idempotency_guid"]
        content = _written(self._submission(consignment, guid))
        answer = self.ask("POST", "/document_submissions", deadline, headers=_JSON, content=content, delivers=True)
        if answer.status == 422 and _names_guid(answer, guid):
            return self._taken_earlier(consignment, guid, answer)
        found = members(self.good(answer, delivers=True).body)
        return self.taken(consignment, found.get("guid"), answer)

    def status(self, reference: str, wire_ids: Mapping[str, str]) -> LaterReceipt:
        """The evidence of the sending; until there is any, it is on its way."""
        if reference == wire_ids.get("idempotency_guid"):
            return LaterReceipt(Verdict.ON_ITS_WAY, reference, {"by": By.PROVIDER.value}, _BLIND)
        path = f"/document_submissions/{quote(reference, safe='')}/evidence/sending"
        answer = self.ask("GET", path, self.deadline(), most=_LARGEST_EVIDENCE)
        if answer.status == 404:
            return self.later(reference, _PENDING)
        found = members(self.good(answer).body)
        evidence = found.get("evidence")
        if not isinstance(evidence, dict):
            raise self.not_understood("no evidence in the answer")
        return self.later(reference, _SENT, **self._facts(found, evidence))

    def notice(self, incoming: Incoming) -> Notice:
        """A message about a submission, as it is pushed or as it is pulled (``{guid, body}``)."""
        whole = members(incoming.content)
        # Half a surrogate pair is text in JSON, and no bytes.
        inner = members(whole["body"].encode("utf-8", "replace")) if isinstance(whole.get("body"), str) else whole
        reference = next((name for one in _NAMES if (name := as_reference(inner.get(one)))), None)
        if reference is None or inner.get("event_group", "document_submission") != "document_submission":
            raise self.unreadable("names no submission")
        word = str(inner.get("event") or "")
        # The evidence itself proves more than the message that there is some: it is asked for.
        return Notice(reference, "" if word == _SENT else word)

    def is_signed(self, incoming: Incoming) -> bool:
        """Storecove signs nothing; it shows the secret that was agreed on."""
        secret = str(self.config.get("webhook_secret") or "").strip()
        user = self.config.get("webhook_user")
        pair = base64.b64encode(f"{user}:{secret}".encode()).decode()
        return bool(secret) and shows(incoming.headers.get("authorization"), f"Basic {pair}" if user else secret)

    def refusal(self, answer: Answer, *, delivers: bool) -> TransportError:
        """With the place of each problem beside its reason."""
        told = "; ".join(f"{one.get('source')}: {one.get('details')}" for one in listed(answer.body) or ())
        return super().refusal(replace(answer, body=_written({"message": told})) if told else answer, delivers=delivers)

    def _legal_entity(self) -> int:
        typed = str(self.config.get("legal_entity") or "")
        if not (typed.isascii() and typed.isdigit()):
            raise _unknown_entity(typed)
        return int(typed)

    def _submission(self, consignment: Consignment, guid: str) -> dict[str, Any]:
        """Credit notes are submitted as "invoice" too: it is what Storecove reads UBL for."""
        receiver = consignment.receiver
        address = spoken(receiver) if receiver else None
        if address is None:
            raise Rejected(_no_name(receiver) if receiver else _NO_RECEIVER)
        raw = {
            "document": base64.b64encode(consignment.payload.content).decode("ascii"),
            "parse": True,
            "parseStrategy": "ubl",
        }
        return {
            "legalEntityId": self._legal_entity(),
            "idempotencyGuid": guid,
            "routing": {"eIdentifiers": [{"scheme": address[0], "id": address[1]}], "emails": []},
            "document": {"documentType": "invoice", "rawDocumentData": raw},
        }

    def _taken_earlier(self, consignment: Consignment, guid: str, answer: Answer) -> Receipt:
        """An earlier try arrived. What became of it cannot be asked: that needs the guid of the answer that was lost, so in
        the end a person must look.
        """
        self.require_repetition(consignment, answer)
        return self.taken(consignment, guid, answer, taken_earlier=True)

    def _facts(self, found: Mapping[str, Any], evidence: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept of the evidence; the network's own receipt whole."""
        told = {name: found.get(name) for name in ("network", "sender", "receiver")}
        told |= {name: evidence.get(name) for name in _FACTS}
        facts: dict[str, Any] = {name: self.short(str(value)) for name, value in told.items() if value}
        receipt = evidence.get("xml")
        return facts | ({"xml": receipt[:_LONGEST_RECEIPT]} if isinstance(receipt, str) else {})


def _written(found: Mapping[str, Any]) -> bytes:
    return json.dumps(found).encode("ascii")


def _names_guid(answer: Answer, guid: str) -> bool:
    """Of a 422: the guid was used before, and by nobody but us."""
    problems = listed(answer.body) or ()
    return any("idempotency" in str(one.get("source")).lower() or guid in str(one.get("details")) for one in problems)


def _no_name(participant: Participant) -> Text:
    return Text(
        f"Storecove har intet navn for adresser som {participant}, så intet er sendt. Giv kunden en anden adresse (f.eks. CVR "
        "eller EAN), eller vælg en anden gateway.",
        f"Storecove has no name for addresses such as {participant}, so nothing was sent. Give the customer another address (for "
        "example CVR or GLN), or choose another gateway.",
    )


_NO_RECEIVER = Text(
    "Fakturaen har ingen elektronisk adresse på køberen, så intet er sendt. Giv kunden en adresse, f.eks. CVR eller EAN.",
    "The invoice has no electronic address of the buyer, so nothing was sent. Give the customer an address, for example CVR or "
    "GLN.",
)
_PEPPOL_ONLY = Text("Storecove kan kun spørges om Peppol.", "Storecove can only be asked about Peppol.")
_BLIND = Text(
    "Storecove har dokumentet, men svaret med dets nummer gik tabt, så der kan ikke spørges, hvad der blev af det. Det regnes ikke "
    "for leveret. Se efter hos Storecove.",
    "Storecove has the document, but the answer with its number was lost, so nobody can ask what became of it. It does not count as "
    "delivered. Look at Storecove.",
)


def _unknown_entity(typed: Any) -> Refused:
    return Refused(
        Text(
            f"Storecove kender ikke nummeret »{typed}« for jeres firma (legal entity), så intet er sendt. Ret det i gatewayens "
            "indstillinger.",
            f"Storecove does not know the number “{typed}” for your company (legal entity), so nothing was sent. Correct it in the "
            "settings of the gateway.",
        )
    )
