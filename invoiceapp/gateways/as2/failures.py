"""What an answer means: one of the four errors of the contract, or the receipt's verdict."""

from __future__ import annotations

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, TransportError, Unavailable, Unknown
from invoiceapp.gateways.certificates import Unusable
from invoiceapp.gateways.failures import transport_error
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.http import Answer

from .mdn import Disposition, Mdn, MdnInvalid, Mic, SeenBefore

PARTNER = Text("Partnerens AS2-server", "The partner's AS2 server")
_TRY_LATER = frozenset({408, 425, 429, 503, 507})
_NOT_LET_IN = frozenset({401, 403, 407})
_NO_SUCH_PLACE = frozenset({404, 405, 410})

#: Words of RFC 4130 7.5 (and of common servers) that blame the agreement between the two, not the document.
_SET_UP = {
    "authentication-failed": Text(
        "Partneren kan ikke godkende vores signatur. Send partneren vores certifikat (på gatewayens side), og test igen.",
        "The partner cannot verify our signature. Give the partner our certificate (on the page of the gateway), and test again.",
    ),
    "decryption-failed": Text(
        "Partneren kan ikke åbne krypteringen. Bed partneren om det rigtige certifikat, og spørg, om AES og den valgte "
        "nøgleindpakning kan bruges.",
        "The partner cannot open the encryption. Ask the partner for the right certificate, and whether AES and the chosen "
        "key wrapping can be used.",
    ),
    "insufficient-message-security": Text(
        "Partneren kræver mere sikkerhed. Slå signatur og kryptering til, som partneren ønsker det.",
        "The partner demands more security. Switch signature and encryption on as the partner wishes.",
    ),
    "integrity-check-failed": Text(
        "Partneren regner signaturen anderledes ud. Vælg base64 som indpakning, eller spørg partneren om algoritmen.",
        "The partner computes the signature differently. Choose base64 as wrapping, or ask the partner for the algorithm.",
    ),
    "decompression-failed": Text(
        "Partneren kan ikke pakke ud. Slå komprimering fra.", "The partner cannot decompress. Switch compression off."
    ),
    "unsupported": Text(
        "Partneren kan ikke den form eller algoritme. Spørg partneren, hvad der kan bruges, og ret gatewayen.",
        "The partner does not know that form or algorithm. Ask the partner what can be used, and correct the gateway.",
    ),
    "sender-equals-receiver": Text(
        "Vores AS2-navn og partnerens er ens. Ret navnene.",
        "Our AS2 name and the partner's are the same. Correct the names.",
    ),
    "unknown-trading": Text(
        "Partneren kender ikke AS2-navnene. Kontrollér begge navne med partneren; store og små bogstaver tæller.",
        "The partner does not know the AS2 names. Check both names with the partner; capitals count.",
    ),
}


SEEN_BEFORE = Text(
    "Partneren siger kun, at beskeden er set før, ikke at den kunne læses. Dokumentet kan være modtaget ved et tidligere forsøg. "
    "Spørg partneren, om den første besked kunne læses, før du sender igen.",
    "The partner only says that it has seen the message before, not that it could read it. The document may have been received "
    "by an earlier attempt. Ask the partner whether it could read the first one, before you send again.",
)


def outbound_failure(error: OutboundError) -> TransportError:
    """A conversation that broke. A status that came in time still counts, where it is a no."""
    if error.status is not None and not 200 <= error.status <= 299:
        return status_failure(Answer(error.status, {}, b""))
    return transport_error(error, PARTNER)


def status_failure(answer: Answer) -> TransportError:
    """An HTTP status that is no success."""
    detail = f"HTTP {answer.status}"
    if answer.status in _NOT_LET_IN:
        return Refused(
            Text(
                "Partnerens server lukker os ikke ind. Ret brugernavn og adgangskode, eller bed partneren om adgang.",
                "The partner's server does not let us in. Correct user name and password, or ask the partner for access.",
            ),
            detail,
        )
    if answer.status in _NO_SUCH_PLACE or 300 <= answer.status <= 399:
        return Refused(
            Text(
                "Partnerens server tager ikke imod AS2 på den adresse. Kontrollér adressen med partneren.",
                "The partner's server takes no AS2 at that address. Check the address with the partner.",
            ),
            detail,
        )
    if answer.status in _TRY_LATER:
        return Unavailable(
            Text(
                "Partnerens server har for travlt og har ikke taget imod. Vi prøver igen af os selv.",
                "The partner's server is too busy and has not taken it. We try again by ourselves.",
            ),
            detail,
            answer.retry_after,
        )
    if 400 <= answer.status <= 499:
        return Rejected(
            Text(
                f"Partnerens server afviste beskeden (HTTP {answer.status}). Spørg partneren hvorfor, og send igen.",
                f"The partner's server rejected the message (HTTP {answer.status}). Ask the partner why, and send again.",
            ),
            detail,
        )
    return Unknown(
        Text(
            f"Partnerens server meldte en fejl hos sig selv (HTTP {answer.status}). Dokumentet kan være modtaget. "
            "Spørg partneren, før du sender igen.",
            f"The partner's server reported a fault of its own (HTTP {answer.status}). The document may have been received. "
            "Ask the partner before you send again.",
        ),
        detail,
    )


def unproved(error: MdnInvalid) -> Unknown:
    """The partner took the whole message, and its receipt proves nothing either way."""
    if isinstance(error, SeenBefore):
        return Unknown(SEEN_BEFORE, str(error), needs_person=True)
    said = (f" Kvitteringen siger »{error.claim}«.", f" The receipt says “{error.claim}”.") if error.claim else ("", "")
    return Unknown(
        Text(
            "Partnerens kvittering kan ikke godkendes: den mangler, er ikke signeret af partneren, eller handler ikke om vores "
            f"besked.{said[0]} Dokumentet kan være modtaget. Spørg partneren, før du sender igen, og kontrollér partnerens "
            "certifikat i gatewayen.",
            "The partner's receipt cannot be accepted: it is missing, not signed by the partner, or not about our message."
            f"{said[1]} The document may have been received. Ask the partner before you send again, and check the partner's "
            "certificate in the gateway.",
        ),
        str(error),
    )


def unusable(error: Unusable) -> Refused:
    """A certificate or key of the settings; nothing was sent."""
    return Refused(Text(f"Intet er sendt. {error.text.da}", f"Nothing was sent. {error.text.en}"), str(error))


def judge(mdn: Mdn, message_id: str, mic: Mic) -> None:
    """Return where the receipt proves that our message arrived unchanged.

    Raises ``Refused`` or ``Rejected`` for the partner's no, ``Unknown`` where the partner has something other than what we
    sent, and ``MdnInvalid`` where it proves nothing.
    """
    if mdn.about != message_id:
        raise MdnInvalid("about another message")
    if not mdn.disposition.has_arrived:
        raise _refusal(mdn.disposition, mdn.disposition_line)
    if mdn.mic is None or mdn.mic.algorithm != mic.algorithm:
        _accept_without_comparison(mdn)
    elif mdn.mic.digest != mic.digest:
        raise Unknown(
            Text(
                "Partneren har modtaget noget andet, end vi sendte (kontrolsummerne er forskellige). Spørg partneren, hvad der "
                "skal ske med det modtagne, før du sender igen. Sker det igen, så vælg base64 som indpakning.",
                "The partner received something other than what we sent (the checksums differ). Ask the partner what to do with "
                "what arrived, before you send again. Where it happens again, choose base64 as wrapping.",
            ),
            "the MIC differs",
            needs_person=True,
        )


def _accept_without_comparison(mdn: Mdn) -> None:
    """Return where a receipt counts although it holds no MIC that ours can be compared with. Raises ``MdnInvalid``."""
    missing = "without MIC" if mdn.mic is None else "MIC by another algorithm"
    if mdn.disposition.is_duplicate:
        # Partners remember the id of a message that they could not decrypt, too.
        raise SeenBefore(f"{mdn.disposition_line}, {missing}")
    if mdn.signer is not None:
        # RFC 4130 7.4.3 demands a MIC of signed receipts only; of others nobody may have said which one we mean.
        raise MdnInvalid(missing)


def _refusal(disposition: Disposition, line: str) -> TransportError:
    for words, text in _SET_UP.items():
        if words in disposition.words:
            return Refused(text, line)
    words = disposition.words or disposition.modifier
    return Rejected(
        Text(
            f"Partneren har modtaget beskeden og afvist den: »{words}«. Spørg partneren, hvad der skal rettes, og send igen.",
            f"The partner received the message and rejected it: “{words}”. Ask the partner what to correct, and send again.",
        ),
        line,
    )
