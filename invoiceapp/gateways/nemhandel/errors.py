"""The codes by which NemHandel's reference implementation says why it does not take a message.

They stand in the description of the AS4 error (``OxalisErrorCode`` of ERST's implementation).
"""

from __future__ import annotations

import re

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.as4.exchange import ErrorAnswered
from invoiceapp.gateways.base import Rejected, TransportError, Unavailable, Unknown

#: ``W-`` marks a warning: not why a message is refused.
_CODE = re.compile(r"(?<!W-)(?<![A-Za-z0-9])(?:APR|APS|REF)?([23][0-9]{4}|10001)(?![0-9])")

_DOCUMENT = Text(
    "Dokumentet følger ikke NemHandels regler, siger modtagerens access point. Intet er leveret. Se kontrollens resultat, ret, og send igen.",
    "The document does not follow NemHandel's rules, the receiver's access point says. Nothing was delivered. Look at the result of "
    "the check, correct it, and send again.",
)
_COUNTRY = Text(
    "Modtagerens access point godkender ikke afsenderens land. Intet er leveret. Kontrollér »Afsenderens land« i gatewayens "
    "indstillinger, og send igen; er det rigtigt, så giv modtageren besked.",
    "The receiver's access point does not accept the sender's country. Nothing was delivered. Check “The sender's country” in the "
    "settings of the gateway, and send again; if it is right, tell the receiver.",
)
_SIGNATURE = Text(
    "Modtagerens access point godkender ikke dokumentets underskrift. Intet er leveret. Siger flere modtagere det samme, så "
    "kontrollér certifikatet og »NemHandels egne valg« i gatewayens indstillinger, og send igen. Ellers giv modtageren besked.",
    "The receiver's access point does not accept the signature of the document. Nothing was delivered. If several receivers say so, "
    "check the certificate and “NemHandel's own choices” in the settings of the gateway, and send again. Else tell the receiver.",
)
_NOT_THERE = Text(
    "Modtageren er ikke tilmeldt hos det access point, registret nævner. Intet er leveret. Slå kunden op igen under Matchede kunder.",
    "The receiver is not registered at the access point that the register names. Nothing was delivered. Look the customer up again "
    "under Matched customers.",
)
_UNREADABLE = Text(
    "Modtagerens access point kunne ikke læse beskeden. Intet er leveret. Giv beskeden videre til den, der driver dette system.",
    "The receiver's access point could not read the message. Nothing was delivered. Pass this on to whoever runs this system.",
)
_NOT_TAKEN = Text(
    "Modtageren tager ikke imod denne slags dokument, eller vi er ikke selv tilmeldt til at sende det. Intet er leveret. Slå kunden op "
    "igen under Matchede kunder, og kontrollér jeres egen tilmelding.",
    "The receiver does not take this kind of document, or we are not registered to send it. Nothing was delivered. Look the customer "
    "up again under Matched customers, and check your own registration.",
)
_LATER = Text(
    "Modtagerens register kunne ikke nås. Intet er leveret; vi prøver igen af os selv.",
    "The receiver's register could not be reached. Nothing was delivered; we try again by ourselves.",
)
_OUTDATED = Text(
    "Modtagerens access point siger, at en frist for opdatering er overskredet. Intet er leveret. Giv besked til den, der driver "
    "dette system, og send igen bagefter.",
    "The receiver's access point says that a deadline for updating has passed. Nothing was delivered. Tell whoever runs this "
    "system, and send again afterwards.",
)
_UNCLEAR = Text(
    "Modtagerens access point fik en fejl, mens det tog imod. Dokumentet kan være modtaget. Spørg modtageren, før du sender igen.",
    "The receiver's access point met a fault while it took the message. The document may have been received. Ask the receiver "
    "before you send again.",
)

#: What follows from a code: the codes' own table, read as "can they have it?". No receiver's word pauses the gateway for all
#: others: what is wrong with our own certificate and registration we see ourselves, before anything leaves.
_MEANING: dict[str, tuple[type[TransportError], Text]] = {
    **dict.fromkeys(("21014", "21016"), (Rejected, _DOCUMENT)),
    "21019": (Rejected, _COUNTRY),
    **dict.fromkeys(("21020", "21021", "21022", "21023"), (Rejected, _SIGNATURE)),
    "24123": (Rejected, _NOT_THERE),
    **dict.fromkeys(("24001", "24002", "23001"), (Rejected, _UNREADABLE)),
    **dict.fromkeys(("24005", "24006", "24007"), (Rejected, _NOT_TAKEN)),
    "24004": (Unavailable, _LATER),
    "24999": (Rejected, _OUTDATED),
    **dict.fromkeys(("24003", "32001", "32002", "32003", "10001"), (Unknown, _UNCLEAR)),
}


def refusal(error: ErrorAnswered) -> TransportError | None:
    """What NemHandel's own code means; None where the error names none that is known."""
    codes = [code for one in error.errors for code in _CODE.findall(one.description) if code in _MEANING]
    if not codes:
        return None
    # What may have arrived outweighs a clear no beside it.
    code = next((one for one in codes if _MEANING[one][0] is Unknown), codes[0])
    kind, text = _MEANING[code]
    detail = f"{code}: {error}"
    # A repetition would only be called a duplicate, and that would look like a proof.
    return Unknown(text, detail, needs_person=True) if kind is Unknown else kind(text, detail)
