"""What a provider's words for the state of a document mean: who took it or refused it, and whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Verdict


class By(StrEnum):
    """Who says so (``LaterReceipt.evidence["by"]``): a network that takes a document is no buyer who takes it."""

    PROVIDER = "provider"
    NETWORK = "network"
    RECEIVER_SYSTEM = "receiver-system"
    """the receiver's program, not a person"""
    BUYER = "buyer"


@dataclass(frozen=True, slots=True)
class Meaning:
    """Of one word."""

    verdict: Verdict
    by: By
    text: Text


ON_ITS_WAY = Meaning(
    Verdict.ON_ITS_WAY,
    By.PROVIDER,
    Text("Udbyderen har dokumentet og arbejder på det.", "The provider has the document and works on it."),
)
PASSED_ON = Meaning(
    Verdict.ARRIVED,
    By.NETWORK,
    Text(
        "Netværket har taget imod dokumentet. Det er ikke køberens svar; køberen har ikke svaret endnu.",
        "The network has taken the document. That is not the buyer's answer; the buyer has not answered yet.",
    ),
)
SYSTEM_TAKES = Meaning(
    Verdict.ARRIVED,
    By.RECEIVER_SYSTEM,
    Text(
        "Modtagerens system har taget imod dokumentet. Køberen har ikke svaret endnu.",
        "The receiver's system has taken the document. The buyer has not answered yet.",
    ),
)
BUYER_TAKES = Meaning(
    Verdict.ACKNOWLEDGED,
    By.BUYER,
    Text("Køberen har godkendt dokumentet.", "The buyer has accepted the document."),
)
NOT_REACHABLE = Meaning(
    Verdict.REJECTED,
    By.NETWORK,
    Text(
        "Modtageren kan ikke findes i netværket, så intet er leveret. Kontrollér kundens EAN- eller CVR-nummer, eller send "
        "fakturaen på en anden måde.",
        "The receiver cannot be found in the network, so nothing was delivered. Check the customer's GLN or CVR number, or send "
        "the invoice in another way.",
    ),
)
INVALID = Meaning(
    Verdict.REJECTED,
    By.PROVIDER,
    Text(
        "Udbyderen har kontrolleret dokumentet og afvist det, så intet er leveret. Ret fejlen, og send igen.",
        "The provider has checked the document and rejected it, so nothing was delivered. Correct the error, and send again.",
    ),
)
NOT_PASSED_ON = Meaning(
    Verdict.REJECTED,
    By.PROVIDER,
    Text(
        "Udbyderen kunne ikke aflevere dokumentet til netværket. Spørg udbyderen hvorfor, og send igen.",
        "The provider could not hand the document to the network. Ask the provider why, and send again.",
    ),
)
SYSTEM_REFUSES = Meaning(
    Verdict.REJECTED,
    By.RECEIVER_SYSTEM,
    Text(
        "Modtagerens system kunne ikke læse dokumentet og har afvist det; køberen har ikke set det. Ret fejlen, og send igen.",
        "The receiver's system could not read the document and has rejected it; the buyer has not seen it. Correct the error, and "
        "send again.",
    ),
)
BUYER_REFUSES = Meaning(
    Verdict.REJECTED,
    By.BUYER,
    Text(
        "Køberen har afvist dokumentet. Spørg køberen hvorfor, ret det i regnskabet, og send et nyt.",
        "The buyer has rejected the document. Ask the buyer why, correct it in the accounts, and send a new one.",
    ),
)


def unknown(word: str) -> Meaning:
    """Of a word that stands in no table: shown, and never taken for a delivery."""
    text = Text(
        f"Udbyderen kalder dokumentet »{word}«, som vi ikke kender. Det regnes ikke for leveret; vi spørger igen af os selv. Bliver "
        "det ved, så spørg udbyderen.",
        f"The provider calls the document “{word}”, which we do not know. It does not count as delivered; we ask again by "
        "ourselves. If it goes on, ask the provider.",
    )
    return Meaning(Verdict.ON_ITS_WAY, By.PROVIDER, text)
