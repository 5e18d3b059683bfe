"""What each failure of an SMTP conversation means: one of the four errors of the contract.

Before the final dot is sent, nothing can have been delivered: RFC 5321 (4.1.1.10)
makes the server forget an unfinished message. After it, only the server's reply
tells; without one the outcome cannot be known (RFC 1047).
"""

from __future__ import annotations

import smtplib
import ssl
from enum import Enum

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, TransportError, Unavailable, Unknown


class Stage(Enum):
    """What the server was asked when it said no."""

    GREETING = "greeting"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    MESSAGE = "message"


#: Authentication required, wrong credentials, encryption required (RFC 4954): our settings, whatever was asked.
_LOGIN_CODES = {530, 534, 535, 538}
#: The message is larger than the server takes (RFC 1870): this message, not our settings.
_TOO_LARGE = 552


def refusal(stage: Stage, code: int, reply: str) -> TransportError:
    """The meaning of a reply that is not a yes."""
    detail = f"{stage.value}: {code} {reply}"
    if code in _LOGIN_CODES:
        return _login_refused(detail)
    if 500 <= code <= 599:
        return _permanent(stage, code, f"{code} {reply}", detail)
    # 4xx by RFC 5321 4.2.1; anything else is no SMTP, and has not taken the message either.
    return Unavailable(
        Text(
            f"Mailserveren kan ikke tage imod lige nu: »{code} {reply}«. Intet er sendt; vi prøver igen af os selv.",
            f"The mail server cannot take it now: “{code} {reply}”. Nothing was sent; we try again by ourselves.",
        ),
        detail,
    )


def _permanent(stage: Stage, code: int, answer: str, detail: str) -> TransportError:
    if stage is Stage.RECIPIENT:
        return Rejected(
            Text(
                f"Mailserveren afviste modtagerens adresse: »{answer}«. Ret e-mailadressen på kunden, og send igen.",
                f"The mail server refused the receiver's address: “{answer}”. Correct the customer's e-mail address, "
                "and send again.",
            ),
            detail,
        )
    if stage is Stage.MESSAGE or code == _TOO_LARGE:
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
        return _login_refused(detail)
    return _unavailable(detail)


def while_connecting(error: Exception) -> TransportError:
    """Name look-up, TCP, greeting, encryption, login."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refused(
            Text(
                "Mailserverens certifikat kan ikke godkendes, så intet er sendt. Kontrollér servernavnet, eller bed "
                "jeres mailudbyder om at forny certifikatet.",
                "The mail server's certificate cannot be verified, so nothing was sent. Check the server name, or ask "
                "your mail provider to renew the certificate.",
            ),
            error.verify_message,
        )
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return refusal(Stage.LOGIN, error.smtp_code, text_of(error.smtp_error))
    if isinstance(error, smtplib.SMTPResponseException):
        return refusal(Stage.GREETING, error.smtp_code, text_of(error.smtp_error))
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Refused(
            Text(
                "Mailserveren tilbyder ikke den valgte kryptering eller login. Vælg en anden kryptering og port, "
                "eller fjern brugernavnet, hvis serveren ikke kræver login.",
                "The mail server does not offer the chosen encryption or a login. Choose another encryption and port, "
                "or remove the user name where the server wants no login.",
            ),
            str(error),
        )
    if type(error) is smtplib.SMTPException:
        # smtplib's bare class: no login method that both sides know.
        return _login_refused(str(error))
    return _unavailable(_detail(error))


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
    return " ".join(words.split())


def _login_refused(detail: str) -> Refused:
    return Refused(
        Text(
            "Mailserveren afviste login. Ret brugernavn og adgangskode, og kør forbindelsestesten; gatewayen er sat "
            "på pause, så kontoen ikke bliver låst.",
            "The mail server refused the login. Correct user name and password and run the connection test; the "
            "gateway is paused so that the account does not get locked.",
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
