"""What each failure of an SMTP conversation means: one of the four errors of the contract.

Before the final dot is sent, nothing can have been delivered: RFC 5321 (4.1.1.10)
makes the server forget an unfinished message. After it, only the server's reply
tells; without one the outcome cannot be known (RFC 1047).
"""

from __future__ import annotations

import re
import smtplib
from enum import Enum

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, TransportError, Unavailable, Unknown
from invoiceapp.gateways.failures import transport_error
from invoiceapp.outbound.errors import OutboundError, Reason, failure

PARTNER = Text("Mailserveren", "The mail server")


class Stage(Enum):
    """What the server was asked when it said no."""

    GREETING = "greeting"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    MESSAGE = "message"


#: Authentication required, wrong credentials, encryption required (RFC 4954): our settings, whatever was asked.
_LOGIN_CODES = {530, 534, 535, 538}
#: Larger than the server takes (RFC 1870), unless the receiver's mailbox is full (RFC 3463: X.2.2).
_TOO_LARGE = 552
_MAILBOX_FULL = "5.2.2"


def refusal(stage: Stage, code: int, reply: str, address: str = "") -> TransportError:
    """The meaning of a reply that is not a yes. ``address``: whose, at ``Stage.RECIPIENT``."""
    if stage is Stage.LOGIN:
        # A server may repeat what it was told, so its words are left out; the codes say enough.
        reply = "".join(re.findall(r"\A[245]\.\d{1,3}\.\d{1,3}", reply))
    answer = f"{code} {reply}".rstrip()
    detail = f"{stage.value}: {answer}"
    if code in _LOGIN_CODES:
        return login_refused(detail)
    if 500 <= code <= 599:
        return _permanent(stage, code, answer, detail, address)
    if not 400 <= code <= 499:
        return _no_smtp(detail)
    whom = f" ({address})" if address else ""
    return Unavailable(
        Text(
            f"Mailserveren kan ikke tage imod lige nu{whom}: »{answer}«. Intet er sendt; vi prøver igen af os selv.",
            f"The mail server cannot take it now{whom}: “{answer}”. Nothing was sent; we try again by ourselves.",
        ),
        detail,
    )


def _no_smtp(detail: str) -> Unavailable:
    """An answer that RFC 5321 4.2.1 does not know: somebody else listens there, and has not taken the message."""
    return Unavailable(
        Text(
            "Det, der svarer på den port, er ikke en mailserver. Intet er sendt; vi prøver igen af os selv. "
            "Kontrollér mailserver og port i gatewayens indstillinger.",
            "What answers on that port is no mail server. Nothing was sent; we try again by ourselves. "
            "Check mail server and port in the settings of the gateway.",
        ),
        detail,
    )


def _permanent(stage: Stage, code: int, answer: str, detail: str, address: str) -> TransportError:
    if stage is Stage.RECIPIENT:
        return Rejected(
            Text(
                f"Mailserveren afviste adressen {address}: »{answer}«. Intet er sendt, heller ikke til andre. "
                "Ret adressen på kunden eller i gatewayens indstillinger, og send igen.",
                f"The mail server refused the address {address}: “{answer}”. Nothing was sent, not to others either. "
                "Correct the address on the customer or in the settings of the gateway, and send again.",
            ),
            detail,
        )
    if code == _TOO_LARGE and _MAILBOX_FULL not in answer:
        return Rejected(
            Text(
                f"Mailserveren tager ikke så stor en mail: »{answer}«. Den er ikke sendt. {_SMALLER.da}",
                f"The mail server does not take a mail that large: “{answer}”. It was not sent. {_SMALLER.en}",
            ),
            detail,
        )
    if stage is Stage.MESSAGE:
        return Rejected(
            Text(
                f"Mailserveren afviste mailen: »{answer}«. Den er ikke sendt. Spørg modtageren eller jeres "
                "mailudbyder, og send igen.",
                f"The mail server refused the mail: “{answer}”. It was not sent. Ask the receiver or your mail "
                "provider, and send again.",
            ),
            detail,
        )
    if stage is Stage.SENDER:
        return Refused(
            Text(
                f"Mailserveren vil ikke sende fra afsenderadressen: »{answer}«. Ret adressen i gatewayens "
                "indstillinger, eller bed jeres mailudbyder om at tillade den.",
                f"The mail server will not send from the sender address: “{answer}”. Correct the address in the "
                "settings of the gateway, or ask your mail provider to allow it.",
            ),
            detail,
        )
    if stage is Stage.LOGIN:
        return login_refused(detail)
    return _unavailable(detail)


def too_large(size: int, limit: int) -> Rejected:
    """The mail is larger than the settings or the server allow; both in bytes."""
    has, may = _megabytes(size), _megabytes(limit)
    return Rejected(
        Text(
            f"Mailen fylder {has.da} MB, og der må højst sendes {may.da} MB. Den er ikke sendt. {_SMALLER.da}",
            f"The mail takes {has.en} MB, and at most {may.en} MB may be sent. It was not sent. {_SMALLER.en}",
        ),
        f"{size} bytes, limit {limit}",
    )


_SMALLER = Text(
    "Slå PDF'en fra i gatewayens indstillinger, eller aftal en højere grænse med jeres mailudbyder, og send igen.",
    "Turn off the PDF in the settings of the gateway, or agree on a higher limit with your mail provider, and send again.",
)


def _megabytes(size: int) -> Text:
    number = f"{size / 1_000_000:.2f}"
    return Text(number.replace(".", ","), number)


def while_connecting(error: Exception) -> TransportError:
    """Name look-up, TCP, greeting, encryption, login."""
    if isinstance(error, smtplib.SMTPResponseException):
        return refusal(Stage.GREETING, error.smtp_code, text_of(error.smtp_error))
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return not_offered(str(error))
    if isinstance(error, smtplib.SMTPException):
        return _unavailable(_detail(error))
    outbound = failure(error)
    if outbound.reason is Reason.CERTIFICATE:
        return _untrusted(outbound)
    if outbound.reason in _ALIKE:
        return transport_error(outbound, PARTNER)
    return _unavailable(str(outbound))


#: What the words of all transports say as well as ours would; the others send people to the receiver, who does
#: not run this server.
_ALIKE = {
    Reason.BLOCKED_ADDRESS, Reason.BLOCKED_PORT, Reason.NAME_UNKNOWN, Reason.NAME_UNANSWERED, Reason.TLS,
    Reason.OUR_CERTIFICATE,
}  # fmt: skip


def _untrusted(error: OutboundError) -> Refused:
    return Refused(
        Text(
            "Mailserverens certifikat kan ikke godkendes, så intet er sendt. Kontrollér servernavnet, eller bed "
            "jeres mailudbyder om at forny certifikatet.",
            "The mail server's certificate cannot be verified, so nothing was sent. Check the server name, or ask "
            "your mail provider to renew the certificate.",
        ),
        str(error),
    )


def not_offered(detail: str) -> Refused:
    """The server lacks the encryption or the kind of login that the settings want."""
    return Refused(
        Text(
            "Mailserveren tilbyder ikke den valgte kryptering eller den valgte slags login. Vælg en anden kryptering og "
            "port eller et andet login i gatewayens indstillinger.",
            "The mail server does not offer the chosen encryption or the chosen kind of login. Choose another encryption "
            "and port, or another login, in the settings of the gateway.",
        ),
        detail,
    )


def before_final_dot(error: Exception) -> TransportError:
    """The connection broke or was silent while the message had no end yet."""
    return _unavailable(_detail(error))


def after_final_dot(error: Exception) -> TransportError:
    """The message is complete and no reply came."""
    return Unknown(
        Text(
            "Mailserveren svarede ikke, efter at hele mailen var sendt. Den kan være leveret. "
            "Spørg modtageren, før du sender igen.",
            "The mail server did not answer after the whole mail was sent. It may have been delivered. "
            "Ask the receiver before you send again.",
        ),
        _detail(error),
    )


def text_of(reply: bytes | str) -> str:
    """A server's words on one line."""
    words = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(words.split())[:500]


def login_refused(detail: str) -> Refused:
    """The server knows neither user nor password, or not together."""
    return Refused(
        Text(
            # Also the words of a connection test, which pauses nothing: whoever pauses says so (the pages' banners).
            "Mailserveren afviste login. Ret brugernavn, adgangskode eller tilladelse (OAuth 2), og kør "
            "forbindelsestesten. Nogle udbydere kræver en særlig app-adgangskode eller OAuth 2.",
            "The mail server refused the login. Correct user name, password or permission (OAuth 2), and run the "
            "connection test. Some providers demand a special app password or OAuth 2.",
        ),
        detail,
    )


def _unavailable(detail: str) -> Unavailable:
    return Unavailable(
        Text(
            "Mailserveren svarer ikke, som den skal. Intet er sendt; vi prøver igen af os selv. "
            "Bliver det ved, så kontrollér servernavn, port og kryptering.",
            "The mail server does not answer as it should. Nothing was sent; we try again by ourselves. "
            "If it goes on, check server name, port and encryption.",
        ),
        detail,
    )


def _detail(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
