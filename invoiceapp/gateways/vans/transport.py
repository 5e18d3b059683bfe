"""The VANS transport: another transport carries; this one looks at the envelope and collects the answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.gateways.base import (
    STRICT,
    CheckStep,
    Consignment,
    Expiry,
    Incoming,
    LaterReceipt,
    Receipt,
    Rejected,
    Transport,
    Unreadable,
    run_steps,
)
from invoiceapp.gateways.file_drop import Mailbox
from invoiceapp.outbound.guard import Guard

from . import carriers
from .envelope import Envelope, envelope_of
from .fields import FIELDS, Afterwards, Expects, expects, filename, problems
from .inbox import Inbox


class VansTransport(Transport):
    """Sends to an operator's mailbox by the carrier that the configuration chooses."""

    kind = "vans"
    label = Text("VANS", "VANS")
    description = Text(
        "Sender EDIFACT eller XML til en VANS-operatørs postkasse over SFTP, FTP eller AS2 og henter kvitteringerne.",
        "Sends EDIFACT or XML to the mailbox of a VANS operator by SFTP, FTP or AS2, and collects the receipts.",
    )
    yes_means = Text(
        "VANS-operatøren har taget det; der er ikke kommet nogen kvittering for, at modtageren har det.",
        "The VANS operator has taken it; no receipt has come that the receiver has it.",
    )
    fields = FIELDS
    fetches = True
    receives = bool(carriers.receiving_kinds())
    header_names = carriers.header_names()
    inbound_field = carriers.inbound_field()
    key_pairs = carriers.key_pairs()
    partner_certificates = carriers.partner_certificates()

    def __init__(self, config: Mapping[str, Any], guard: Guard = STRICT) -> None:
        super().__init__(config, guard)
        self._carrier = carriers.carrier_class(carriers.kind_of(config))(
            carriers.config_of(config, filename(config)), guard
        )
        self.seen = self._carrier.seen
        self._expects = expects(config)

    @property
    def host(self) -> str | None:
        """The carrier's."""
        return self._carrier.host

    @property
    def most_connections(self) -> int:
        """The carrier's."""
        return self._carrier.most_connections

    @property
    def replay(self) -> Replay:
        """The carrier's; safe where every interchange is answered, as its number (0020) then tells it from a new one."""
        return Replay.SAFE if self._expects is not Expects.NOTHING else self._carrier.replay

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """The carrier's, and of EDIFACT ``interchange``: the control reference (0020) that answers name."""
        envelope = envelope_of(consignment.payload.content)
        numbered = {"interchange": envelope.reference} if envelope else {}
        return {**self._carrier.wire_ids(consignment), **numbered}

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """The carrier's; a file name that cannot be used; answers that are expected and never collected."""
        return carriers.problems(config, secrets, filename(config)) | problems(config)

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """The carrier's."""
        return carriers.findings(config, filename(config))

    @classmethod
    def expiries(cls, config: Mapping[str, Any]) -> list[Expiry]:
        """The carrier's."""
        return carriers.expiries(config)

    def close(self) -> None:
        """Give the carrier's connection back."""
        self._carrier.close()

    def check(self) -> list[CheckStep]:
        """The carrier's steps, then a look into the folder with answers."""
        steps = self._carrier.check()
        inbox = self._inbox()
        if inbox is None or not all(step.ok for step in steps):
            return steps

        def look() -> Text:
            count = inbox.look()
            return Text(
                f"Mappen kan læses; der ligger {count} {'fil' if count == 1 else 'filer'}.",
                f"The folder can be read; {count} {'file lies' if count == 1 else 'files lie'} there.",
            )

        return [*steps, *run_steps(((Text("Mappen med svar", "The folder with answers"), look),))]

    def send(self, consignment: Consignment) -> Receipt:
        """By the carrier, once the envelope is found to be ours. Not final where an answer is expected."""
        envelope = envelope_of(consignment.payload.content)
        self._require_ours(envelope)
        return self._with_answer(self._carrier.send(consignment), envelope)

    def find(self, consignment: Consignment) -> Receipt | None:
        """Ask as the carrier asks."""
        found = self._carrier.find(consignment)
        return found and self._with_answer(found, envelope_of(consignment.payload.content))

    def fetch(self) -> Iterator[Incoming]:
        """Answers that lie in the inbox; none over carriers without folders."""
        inbox = self._inbox()
        if inbox is not None:
            yield from inbox.files()

    def done(self, incoming: Incoming) -> None:
        """Remove it, or keep it aside, as the settings say."""
        inbox = self._inbox()
        if inbox is not None:
            inbox.take_away(incoming)

    def key_of(self, incoming: Incoming) -> str | None:
        """As the carrier reads it."""
        if not self._carrier.receives:
            raise _not_posted()
        return self._carrier.key_of(incoming)

    def read(self, incoming: Incoming, wire_ids: Mapping[str, str]) -> LaterReceipt:
        """As the carrier reads it."""
        return self._carrier.read(incoming, wire_ids)

    def _inbox(self) -> Inbox | None:
        folder = self.config.get("inbox")
        if not folder or not isinstance(self._carrier, Mailbox):
            return None
        return Inbox(self._carrier, str(folder), keeps=self.config.get("afterwards") == Afterwards.MOVE)

    def _require_ours(self, envelope: Envelope | None) -> None:
        """Raises ``Rejected``."""
        if envelope is None:
            if self._expects is not Expects.NOTHING:
                raise _no_edifact(self._expects)
        elif envelope.sender != self.config.get("mailbox"):
            raise _foreign_sender(envelope.sender, str(self.config.get("mailbox") or ""))

    def _with_answer(self, receipt: Receipt, envelope: Envelope | None) -> Receipt:
        """The carrier's receipt; what lies in the mailbox has not been read yet where an answer tells of that."""
        if envelope is None:
            return receipt
        noted = replace(receipt, evidence={**receipt.evidence, "interchange": envelope.reference})
        if self._expects is Expects.NOTHING:
            return noted
        return replace(noted, final=False, due=timedelta(hours=int(self.config.get("answer_hours") or 24)))


def _not_posted() -> Unreadable:
    return Unreadable(
        Text(
            "Denne gateway henter sine svar selv; hertil kan der ikke sendes noget.",
            "This gateway collects its answers itself; nothing can be posted to it.",
        )
    )


def _foreign_sender(found: str, ours: str) -> Rejected:
    return Rejected(
        Text(
            f"Filens afsender er »{found}«, men gatewayens postkasse er »{ours}«. Intet er sendt. Ret afsenderens GLN-nummer i "
            "formatets indstillinger eller postkassen i gatewayens, og send igen.",
            f"The file's sender is “{found}”, but the gateway's mailbox is “{ours}”. Nothing was sent. Correct the sender's GLN "
            "in the settings of the format, or the mailbox in those of the gateway, and send again.",
        ),
        "UNB sender is not the mailbox",
    )


def _no_edifact(expected: Expects) -> Rejected:
    name = expected.value.upper()
    return Rejected(
        Text(
            f"Gatewayen venter på {name}, og det kan kun en EDIFACT-fil få. Intet er sendt. Vælg EDIFACT som kundens format, "
            "eller send andre formater gennem en gateway, der ikke venter på svar.",
            f"The gateway waits for a {name}, which only an EDIFACT file can get. Nothing was sent. Choose EDIFACT as the "
            "customer's format, or send other formats through a gateway that waits for no answer.",
        ),
        "not EDIFACT",
    )
