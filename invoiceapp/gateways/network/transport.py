"""The gateway that chooses among the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Finding, Severity, Text, Turn
from invoiceapp.domain.network import REGISTERS, Network
from invoiceapp.gateways.base import CheckStep, Consignment, Receipt, Refused, Transport, run_steps
from invoiceapp.gateways.lookup_fields import lookup_fields
from invoiceapp.gateways.lookup_fields import problems as lookup_problems
from invoiceapp.gateways.steps import Step

_NIGHT = Text("Kontrol om natten", "Nightly check")
RECHECK = Field(
    "recheck",
    Text("Slå kunderne op igen hver nat", "Look the customers up again every night"),
    FieldType.BOOLEAN,
    default=True,
    help=Text(
        "Så ser I om morgenen, hvem der er kommet til, har flyttet adresse eller ikke længere kan modtage.",
        "Then you see in the morning who is new, has moved, or can receive no more.",
    ),
    group=_NIGHT,
)
RECHECK_HOUR = Field(
    "recheck_hour",
    Text("Fra klokken", "From (hour)"),
    FieldType.INTEGER,
    default=3,
    smallest=0,
    largest=23,
    help=Text("Dansk tid. Opslagene begynder inden for timen.", "Danish time. The look-ups begin within the hour."),
    group=_NIGHT,
    only_when=("recheck", ("true",)),
)
MAX_AGE = Field(
    "max_age_hours",
    Text("Så længe gælder et opslag (timer)", "A look-up counts for (hours)"),
    FieldType.INTEGER,
    default=24,
    smallest=1,
    largest=168,
    help=Text(
        "Er det ældre, når en faktura skal sendes, slår vi kunden op igen først.",
        "If it is older when an invoice is to be sent, we look the customer up again first.",
    ),
    group=_NIGHT,
)
_SENDS_NOTHING = Text(
    "Denne gateway sender ikke selv; den finder den gateway, der gør det.",
    "This gateway sends nothing itself; it finds the gateway that does.",
)


class NetworkTransport(Transport):
    """Chooses, for each customer, the gateway and the format by which it takes invoices (``services/reach``)."""

    kind = "network"
    label = Text("Netværk (find vejen selv)", "Network (find the way)")
    description = Text(
        "Slår hver kunde op i NemHandel og Peppol og sender gennem den af jeres gateways, der når kunden.",
        "Looks each customer up in NemHandel and Peppol and sends through the one of your gateways that reaches it.",
    )
    sends = False
    fields = (*lookup_fields(Network.NEMHANDEL, Network.PEPPOL, registers=True), RECHECK, RECHECK_HOUR, MAX_AGE)

    @property
    def replay(self) -> Replay:
        """Nothing is ever repeated, because nothing is sent."""
        return Replay.SAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """None."""
        return {}

    def check(self) -> list[CheckStep]:
        """Which registers the settings lead to; nobody is asked from here."""
        steps: list[Step] = [(Text("Find registrene", "Find the registers"), self._named_registers)]
        return run_steps(steps)

    def _named_registers(self) -> Text:
        known = REGISTERS.get(str(self.config.get("lookup") or "live"))
        named = known.register_url if known else str(self.config.get("register_url") or "")
        zones = known.zones if known else {one: self.config.get(f"{one.value}_zone") for one in Network}
        found = [str(address) for address in (named, *zones.values()) if address]
        if not found:
            raise Refused(_NOWHERE)
        listed = ", ".join(found)
        return Text(f"Der slås op i {listed}.", f"Looked up in {listed}.")

    def send(self, consignment: Consignment) -> Receipt:
        """Raises ``Refused``: whoever calls this has not asked where the document goes."""
        raise Refused(_SENDS_NOTHING)

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """Registers of one's own must be named, and roots must be readable."""
        found = lookup_problems(config)
        named = ("register_url", *(f"{network.value}_zone" for network in Network))
        if config.get("lookup") == "own" and not any(config.get(name) for name in named):
            found["register_url"] = _NOWHERE
        return found

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """A look-up in the test networks finds nobody's real address."""
        if config.get("lookup") != "test":
            return []
        return [
            Finding(
                "IA-NETWORK-TEST",
                Severity.WARNING,
                Text(
                    "Der slås op i testnetværkene: rigtige kunder findes ikke dér.",
                    "The test networks are looked up: real customers are not found there.",
                ),
                Turn.HERE,
            )
        ]


_NOWHERE = Text(
    "Skriv mindst ét register: NemHandelsregisterets adresse eller en SML-zone.",
    "Name at least one register: the address of NemHandelsregisteret, or an SML zone.",
)
