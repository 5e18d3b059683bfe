"""What an access point's no, its silence or a broken line mean: the four errors of the contract.

An error signal is the access point's word that it did not take the message, so what may pass is tried again; details
begin with the ebMS code.
"""

from __future__ import annotations

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, TransportError, Unavailable, Unknown
from invoiceapp.gateways.certificates import Unusable
from invoiceapp.gateways.failures import transport_error
from invoiceapp.outbound.errors import OutboundError, Reason, Sent
from invoiceapp.outbound.http import Answer
from invoiceapp.trust.chains import ChainError
from invoiceapp.trust.chains import Reason as Disbelief

from .ebms import SignalError
from .errors import NOT_SERVICED
from .exchange import AnswerInvalid, ErrorAnswered

PARTNER = Text("Modtagerens access point", "The receiver's access point")
DUPLICATE = "EBMS:4001"
#: Of phase4 until 4.4, which has EBMS:0004 for it.
_OLDER_DUPLICATE = "was already handled (this is a duplicate)"
#: FailedAuthentication, FailedDecryption.
_CERTIFICATES = frozenset({"EBMS:0101", "EBMS:0102"})
#: ConnectionFailure, DeliveryFailure.
_PASSING = frozenset({"EBMS:0005", "EBMS:0202"})
_TRY_LATER = frozenset({408, 425, 429, 503, 507})
_NO_SUCH_PLACE = frozenset({401, 403, 404, 405, 407, 410})
#: Of the address or the certificate that the register names. Nothing here can be corrected, and other receivers are not touched.
_THEIRS = frozenset({Reason.CERTIFICATE, Reason.OUR_CERTIFICATE, Reason.TLS})
_BLOCKED = frozenset({Reason.BLOCKED_ADDRESS, Reason.BLOCKED_PORT})
_LONGEST_QUOTE = 300


def answered(error: ErrorAnswered) -> TransportError:
    """An error signal about our message (not ``DUPLICATE``: see ``repeated``)."""
    detail = str(error)
    if any(NOT_SERVICED in one.description for one in error.errors):
        return Rejected(
            Text(
                "Modtagerens access point siger, at det ikke tager imod denne slags dokument til modtageren. Intet er leveret. "
                "Slå kunden op igen under Matchede kunder, eller spørg kunden, hvordan fakturaen skal sendes.",
                "The receiver's access point says that it does not take this kind of document for the receiver. Nothing was "
                "delivered. Look the customer up again under Matched customers, or ask the customer how to send the invoice.",
            ),
            detail,
        )
    codes = {one.code for one in error.errors}
    if codes & _CERTIFICATES:
        return Unavailable(
            Text(
                "Modtagerens access point kunne ikke godkende eller åbne beskeden; måske har en af siderne fået nyt certifikat. "
                "Intet er leveret. Vi slår modtageren op igen og prøver af os selv. Bliver det ved, så kontrollér, at vores eget "
                "certifikat er gyldigt.",
                "The receiver's access point could not verify or open the message; perhaps one of the two has a new certificate. "
                "Nothing was delivered. We look the receiver up again and try by ourselves. If it goes on, check that our own "
                "certificate is valid.",
            ),
            detail,
            is_remembered=True,
        )
    if codes & _PASSING:
        return Unavailable(
            Text(
                "Modtagerens access point har en forbigående fejl og tog ikke imod. Vi prøver igen af os selv.",
                "The receiver's access point has a passing fault and did not take the message. We try again by ourselves.",
            ),
            detail,
            is_remembered=True,
        )
    said = _quoted(error.errors)
    return Rejected(
        Text(
            f"Modtagerens access point afviste beskeden: »{said}«. Intet er leveret. Giv beskeden videre til den, der driver "
            "dette system.",
            f"The receiver's access point rejected the message: “{said}”. Nothing was delivered. Pass this on to whoever runs "
            "this system.",
        ),
        detail,
    )


def _quoted(errors: tuple[SignalError, ...]) -> str:
    words = "; ".join(f"{one.code} {one.description}".strip() for one in errors)
    return "".join(letter if letter.isprintable() else " " for letter in words)[:_LONGEST_QUOTE]


def is_duplicate(error: ErrorAnswered) -> bool:
    """Whether the only thing that the access point has against the message is that it was there before."""
    return all(one.code == DUPLICATE or _OLDER_DUPLICATE in one.description for one in error.errors)


def repeated(error: ErrorAnswered) -> Unknown:
    """The message was there before, and no earlier try of ours is known that may have brought it."""
    return Unknown(
        Text(
            "Modtagerens access point siger, at det har set beskeden før, men ikke, om det tog imod den. Spørg modtageren, om "
            "dokumentet er kommet, før du sender igen.",
            "The receiver's access point says that it has seen the message before, but not whether it took it. Ask the receiver "
            "whether the document has come, before you send again.",
        ),
        str(error),
        needs_person=True,
    )


def unproved(error: AnswerInvalid) -> Unknown:
    """The whole message left, and the answer proves nothing either way."""
    return Unknown(
        Text(
            "Kvitteringen fra modtagerens access point kan ikke godkendes: den mangler, er ikke underskrevet af det access point, "
            "som registret nævner, eller handler ikke om vores dokument. Dokumentet kan være modtaget.",
            "The receipt of the receiver's access point cannot be accepted: it is missing, not signed by the access point that "
            "the register names, or not about our document. The document may have been received.",
        ),
        str(error),
    )


def status_failure(answer: Answer) -> TransportError:
    """An HTTP status that is no success, without an AS4 answer."""
    detail = f"HTTP {answer.status}"
    if answer.status in _TRY_LATER:
        return Unavailable(
            Text(
                "Modtagerens access point har for travlt og har ikke taget imod. Vi prøver igen af os selv.",
                "The receiver's access point is too busy and has not taken it. We try again by ourselves.",
            ),
            detail,
            answer.retry_after,
        )
    if answer.status in _NO_SUCH_PLACE or 300 <= answer.status <= 399:
        return Unavailable(
            Text(
                "Modtagerens access point findes ikke (længere) på den adresse, som registret nævner. Intet er leveret. Vi slår "
                "modtageren op igen og prøver af os selv.",
                "The receiver's access point is not (or no longer) at the address that the register names. Nothing was "
                "delivered. We look the receiver up again and try by ourselves.",
            ),
            detail,
        )
    if 400 <= answer.status <= 499:
        return Rejected(
            Text(
                f"Modtagerens access point afviste beskeden (HTTP {answer.status}). Intet er leveret. Giv beskeden videre til "
                "den, der driver dette system.",
                f"The receiver's access point rejected the message (HTTP {answer.status}). Nothing was delivered. Pass this on "
                "to whoever runs this system.",
            ),
            detail,
        )
    return Unknown(
        Text(
            f"Modtagerens access point meldte en fejl hos sig selv (HTTP {answer.status}). Dokumentet kan være modtaget.",
            f"The receiver's access point reported a fault of its own (HTTP {answer.status}). The document may have been "
            "received.",
        ),
        detail,
    )


def outbound_failure(error: OutboundError) -> TransportError:
    """A conversation that broke. Address and certificate are the register's, so nothing of it pauses the gateway."""
    if error.status is not None and not 200 <= error.status <= 299:
        return status_failure(Answer(error.status, {}, b""))
    if error.reason in _BLOCKED:
        return Unavailable(
            Text(
                "Registret nævner en adresse til modtagerens access point, som vi ikke må forbinde til (et lukket netværk eller en "
                "forkert port). Intet er sendt; vi slår modtageren op igen og prøver af os selv. Er netværket jeres eget, skal den, "
                "der driver serveren, tillade det med OUTBOUND_NETWORKS eller OUTBOUND_PORTS.",
                "The register names an address of the receiver's access point that we may not connect to (a closed network or a "
                "wrong port). Nothing was sent; we look the receiver up again and try by ourselves. If the network is your own, "
                "whoever runs the server must allow it by OUTBOUND_NETWORKS or OUTBOUND_PORTS.",
            ),
            str(error),
        )
    if error.reason in _THEIRS and error.sent is not Sent.ALL:
        return Unavailable(
            Text(
                "Der kan ikke oprettes en sikker forbindelse til modtagerens access point: dets servercertifikat eller kryptering kan "
                "ikke godkendes. Intet er sendt; vi prøver igen af os selv. Bliver det ved, så giv modtageren besked.",
                "No secure connection to the receiver's access point is possible: its server certificate or encryption cannot be "
                "accepted. Nothing was sent; we try again by ourselves. If it goes on, tell the receiver.",
            ),
            str(error),
        )
    found = transport_error(error, PARTNER)
    return Unavailable(found.text, found.detail) if isinstance(found, Refused) else found


def disbelieved(error: ChainError) -> TransportError:
    """The receiving access point's certificate, as the register names it; nothing was sent."""
    if error.reason is Disbelief.NO_ANCHORS:
        return Refused(
            Text(
                "Rodcertifikaterne for access points mangler eller kan ikke læses, så intet er sendt. Indsæt dem i gatewayens "
                "indstillinger.",
                "The root certificates of access points are missing or cannot be read, so nothing was sent. Paste them into the "
                "settings of the gateway.",
            ),
            str(error),
        )
    return Unavailable(
        Text(
            "Certifikatet på modtagerens access point kan ikke godkendes: det er udløbet, spærret eller ikke udstedt af netværket. "
            "Intet er sendt. Vi slår modtageren op igen og prøver af os selv. Bliver det ved, så giv modtageren besked.",
            "The certificate of the receiver's access point cannot be accepted: it has ended, was revoked, or was not issued by the "
            "network. Nothing was sent. We look the receiver up again and try by ourselves. If it goes on, tell the receiver.",
        ),
        str(error),
    )


def unusable(error: Unusable) -> Refused:
    """Our own certificate or key; nothing was sent."""
    return Refused(Text(f"Intet er sendt. {error.text.da}", f"Nothing was sent. {error.text.en}"), str(error))
