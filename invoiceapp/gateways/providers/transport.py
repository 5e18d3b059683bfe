"""The base of the kinds that send by a provider's access point: look-up, submission with our key, status, callback."""

from __future__ import annotations

import hashlib
import re
import ssl
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from invoiceapp.domain.findings import Text
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import (
    STRICT,
    CheckStep,
    Consignment,
    Deadline,
    Incoming,
    LaterReceipt,
    Receipt,
    Refused,
    Rejected,
    Transport,
    TransportError,
    Unavailable,
    Unknown,
    Unreadable,
    Verdict,
    run_steps,
)
from invoiceapp.gateways.failures import transport_error
from invoiceapp.gateways.http.excerpt import excerpt
from invoiceapp.gateways.oauth import is_safe
from invoiceapp.gateways.steps import Step, network_steps
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import LARGEST_ANSWER, Answer, HttpClient

from . import answers
from .states import Meaning, unknown

#: Seconds that a provider may take for one answer. Some check and send the document before they answer.
STEP = 60.0
_KEPT_HEADERS = ("date", "location", "request-id", "x-request-id", "x-correlation-id")
_UNSAFE = Text("Adressen skal begynde med https://.", "The address must begin with https://.")


@dataclass(frozen=True, slots=True)
class Notice:
    """What a callback says of a document."""

    reference: str
    """The provider's id of the document (``Receipt.reference``)"""
    word: str = ""
    """The state in the provider's word; empty where it says only that something happened"""
    said: str = ""
    """The provider's or the receiver's reason"""


class ProviderTransport(Transport):
    """Sends by a provider's access point, which looks the receiver up itself.

    A kind says its ``partner``, ``urls``, ``states`` and ``fields`` and implements ``replay``, ``wire_ids``, ``access``,
    ``submit``, ``status`` (by ``later``), and where the provider offers it ``reaches``, ``search``, ``responses``,
    ``notice`` and ``is_signed``. Everything asked of the provider goes through ``ask``.
    """

    partner: ClassVar[Text]
    """To begin a sentence with: ``The provider Sproom``"""
    urls: ClassVar[Mapping[str, str]] = {}
    """Base addresses of its API by system, ``live`` and perhaps ``test``"""
    states: ClassVar[Mapping[str, Meaning]] = {}
    """Meanings of its words, which are spelled here in lower case"""

    yes_means = Text(
        "Udbyderen har taget det; der er ikke kommet besked om, at modtageren har det.",
        "The provider has taken it; no word has come that the receiver has it.",
    )
    proof_means = Text(
        "Udbyderen har meldt, at det er afleveret hos modtageren.",
        "The provider has told that it was delivered to the receiver.",
    )
    credentials_decide = True
    accepts = frozenset({"oioubl-2.1", "peppol-bis-3"})
    networks = frozenset({Network.NEMHANDEL, Network.PEPPOL})
    polls = True
    receives = True
    inbound_field = "callback_url"
    PORTS = frozenset({80, 443})

    def __init__(self, config: Mapping[str, Any], guard: Guard = STRICT) -> None:
        super().__init__(config, guard)
        self._client: HttpClient | None = None

    # What a kind says

    @abstractmethod
    def access(self, deadline: Deadline) -> Text:
        """Ask something that needs the access key and changes nothing; what was found, for the connection test."""

    @abstractmethod
    def submit(self, consignment: Consignment, deadline: Deadline) -> Receipt:
        """Hand the document over: ``ask(…, delivers=True)``, then ``taken``. Raises a ``TransportError``."""

    def search(self, consignment: Consignment, deadline: Deadline) -> Receipt | None:
        """Behind ``find``: a receipt, None for a proven no. Any ``TransportError`` means that the provider cannot say."""
        raise Unavailable(Text("Udbyderen kan ikke spørges.", "The provider cannot be asked."))

    def notice(self, incoming: Incoming) -> Notice:
        """What a callback says, not yet proved. Raises ``Unreadable``."""
        raise self.unreadable("no callbacks")

    def is_signed(self, incoming: Incoming) -> bool:
        """Whether a callback is proved to be the provider's; without a proof it is only a hint. Raises ``Unreadable`` where a
        signature is wrong.
        """
        return False

    def more_steps(self, deadline: Deadline) -> Iterable[Step]:
        """Steps of the connection test after that."""
        return ()

    def access_headers(self) -> dict[str, str]:
        """By which the provider lets us in."""
        return {"Authorization": f"Bearer {_printable(self.config.get('token'))}"}

    # The contract

    @property
    def base_url(self) -> str:
        """Of the API, without a slash at the end: what was typed, else the provider's own."""
        usual = self.urls.get(self.config.get("system") or "live", "")
        return str(self.config.get("base_url") or usual).rstrip("/")

    @property
    def host(self) -> str | None:
        """The host of the API."""
        return urlsplit(self.base_url).hostname

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """An address that the access key must not be sent to."""
        typed = config.get("base_url")
        return {"base_url": _UNSAFE} if typed and not is_safe(str(typed)) else {}

    def check(self) -> list[CheckStep]:
        """Name, connection, and the access key. Sends no document."""
        deadline = self.deadline()
        parts = urlsplit(self.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = network_steps(self.guard, parts.hostname or "", port, deadline, self.partner, self.PORTS)
        access = (Text("Adgang hos udbyderen", "Access at the provider"), lambda: self.access(deadline))
        return run_steps((*found, access, *self.more_steps(deadline)))

    def send(self, consignment: Consignment) -> Receipt:
        """Hand the document over. ``reference`` is the provider's id; what became of it is asked later (``status``)."""
        return self.submit(consignment, self.deadline())

    def find(self, consignment: Consignment) -> Receipt | None:
        """As ``search``, which knows how this provider is asked."""
        try:
            return self.search(consignment, self.deadline())
        except TransportError as error:
            raise Unavailable(
                Text(
                    f"{self.partner.da} kan ikke sige, om den har dokumentet. Vi spørger igen af os selv.",
                    f"{self.partner.en} cannot say whether it has the document. We ask again by ourselves.",
                ),
                error.detail or error.text.en,
            ) from error

    def reference_of(self, incoming: Incoming) -> str | None:
        """The provider's id of the document that a callback is about."""
        return self.notice(incoming).reference

    def read(self, incoming: Incoming, wire_ids: Mapping[str, str]) -> LaterReceipt:
        """The state that a signed callback tells; else a hint to ask."""
        notice = self.notice(incoming)
        if self.is_signed(incoming) and notice.word:
            return self.later(notice.reference, notice.word, notice.said, signed=True)
        return LaterReceipt(Verdict.HINT, notice.reference, {"word": self.short(notice.word), "signed": False})

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.close()
            self._client = None

    # What kinds use

    def deadline(self) -> Deadline:
        """For one conversation."""
        return Deadline(self.DEADLINE, STEP)

    def context(self) -> ssl.SSLContext | None:
        """How connections are encrypted; None trusts the public roots. Raises ``Refused``."""
        return None

    def ask(
        self, method: str, path: str, deadline: Deadline, *, headers: Mapping[str, str] | None = None,
        content: bytes = b"", delivers: bool = False, most: int = LARGEST_ANSWER,
    ) -> Answer:  # fmt: skip
        """One request; any status is an answer. ``path`` follows the base address, quoted. ``delivers``: it carries the
        document. ``most``: bytes of the answer. Raises a ``TransportError`` where no whole answer came.
        """
        sent = {"Accept": "application/json", "User-Agent": "invoiceapp"} | self._access() | dict(headers or {})
        if self._client is None:
            self._client = HttpClient(self.guard, self.context(), self.PORTS)
        try:
            return self._client.request(
                method, self.base_url + path, deadline, headers=sent, content=content, most=most
            )
        except OutboundError as error:
            raise self._unanswered(error, delivers=delivers) from error

    def good(self, answer: Answer, *, delivers: bool = False) -> Answer:
        """The answer, where it is a yes (2xx). Raises what it means otherwise."""
        if not answer.is_good:
            raise self.refusal(answer, delivers=delivers)
        return answer

    def refusal(self, answer: Answer, *, delivers: bool) -> TransportError:
        """What an answer means that is no yes, with the provider's reasons."""
        return answers.refusal(answer, self.partner, self.secrets(), delivers=delivers)

    def unclear(self, detail: str) -> Unknown:
        """The whole document left, and nothing told clearly whether the provider has it."""
        return answers.unclear(self.partner, self.short(detail))

    def not_understood(self, detail: str) -> Unavailable:
        """A yes to a question without what it should hold."""
        return answers.not_understood(self.partner, self.short(detail))

    def unreadable(self, detail: str) -> Unreadable:
        """A callback that is none of this provider's."""
        return Unreadable(
            Text(
                f"Det er ikke en besked fra {self.label.da}, som vi kan læse.",
                f"It is no message of {self.label.en} that we can read.",
            ),
            detail,
        )

    def taken(self, consignment: Consignment, reference: Any, answer: Answer, **facts: Any) -> Receipt:
        """The receipt for a document that the provider has. ``reference``: its id as it stood in the answer."""
        known = answers.as_reference(reference)
        if known is None:
            raise self.unclear(f"{answer.status} without an id of the document")
        evidence = {
            "by": "provider",
            "status": answer.status,
            "body_sha256": hashlib.sha256(answer.body).hexdigest(),
            "body": self.short(answer.text),
            "headers": {name: self.short(answer.headers[name]) for name in _KEPT_HEADERS if name in answer.headers},
            "sha256": consignment.payload.sha256,
            **self.wire_ids(consignment),
            **facts,
        }
        due = timedelta(hours=int(self.config.get("answer_hours") or 48))
        return Receipt(known, evidence, proves_arrival=False, final=False, due=due)

    def require_repetition(self, consignment: Consignment, answer: Answer) -> None:
        """That "I have it already" can be about an earlier try of ours. Raises ``Unknown``, for a person, where it cannot."""
        if not consignment.may_have_arrived:
            raise answers.not_ours(self.partner, self.short(f"{answer.status} {answer.text}"))

    def meaning(self, word: str) -> Meaning:
        """Of a word of the provider's; one that we do not know is never a delivery."""
        return self.states.get(word.strip().lower()) or unknown(self.short(word))

    def later(self, reference: str, word: str, said: str = "", **facts: Any) -> LaterReceipt:
        """What a state means for the document. ``said``: the reason that came with it; ``facts``: JSON-ready."""
        meaning, reason = self.meaning(word), self.short(said)
        quoted = Text(f" »{reason}«", f" “{reason}”") if reason else Text("", "")
        text = Text(meaning.text.da + quoted.da, meaning.text.en + quoted.en)
        shown = self.short(word)
        evidence = {"by": meaning.by.value, "word": shown, **({"said": reason} if reason else {}), **facts}
        return LaterReceipt(meaning.verdict, f"{reference} {shown}".strip(), evidence, text)

    def secrets(self) -> list[str]:
        """What no text may hold."""
        return [
            str(self.config[field.name]).strip()
            for field in self.fields
            if field.secret and self.config.get(field.name)
        ]

    def short(self, text: str) -> str:
        """At most 200 printable characters of a provider's words, without our secrets."""
        return excerpt(text, self.secrets())

    def _access(self) -> dict[str, str]:
        """Nothing leaves by settings that are not whole."""
        if not is_safe(self.base_url):
            raise Refused(_UNSAFE, "the base address is not safe")
        return self.access_headers()

    def _unanswered(self, error: OutboundError, *, delivers: bool) -> TransportError:
        """No whole answer came."""
        if not delivers:
            # Without ``sent``: what left was a question.
            return transport_error(OutboundError(error.reason, error.detail), self.partner)
        if error.status is not None and not 200 <= error.status <= 299:
            no = self.refusal(Answer(error.status, {}, b""), delivers=True)
            # What was lost may be "I have it already"; it is said again.
            return answers.reason_lost(self.partner, f"{error.status} {error}") if isinstance(no, Rejected) else no
        found = transport_error(error, self.partner)
        return self.unclear(str(error)) if isinstance(found, Unknown) or error.status is not None else found


def _printable(value: Any) -> str:
    """A token as it can stand in a header (RFC 6750 2.1); white space around what was pasted is no part of it."""
    token = str(value or "").strip()
    if not re.fullmatch(r"[\x21-\x7e]{1,4000}", token):
        raise Refused(
            Text(
                "Adgangsnøglen mangler eller kan ikke bruges, så intet er sendt. Skriv udbyderens nøgle i gatewayens indstillinger.",
                "The access key is missing or cannot be used, so nothing was sent. Enter the provider's key in the settings of the "
                "gateway.",
            )
        )
    return token
