"""Mails about accounts: links to choose a password or confirm an address, and notices of what was changed.

Sent at once and stored nowhere, because whoever reads such a link has the account. Never within a transaction: the mail
server may be slow.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import current_app

from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, TransportError, Unknown
from invoiceapp.models import Mail, User, new_id, utcnow
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.notifications.letters import SUBJECT, message_id, say
from invoiceapp.services.notifications.mailing import Postman, message

#: A page waits for it.
_SECONDS = 20.0
CHANGED = Text("Dit login er ændret", "Your sign-in was changed")


def is_possible() -> bool:
    """Whether this installation has a mail server."""
    return config().mail is not None


def send(to: str, subject: str, text: str, html: str) -> None:
    """Hand one mail to the mail server. Raises ``ServiceError`` where it was not taken, or nobody knows."""
    server = config().mail
    if server is None:
        raise ServiceError(_NO_SERVER)
    mail_id = new_id()
    # Line breaks would end the header.
    subject = " ".join(subject.split())[:SUBJECT]
    mail = Mail(
        to=to, subject=subject, text=text, html=html, message_id=message_id(mail_id), id=mail_id, created_at=utcnow()
    )
    try:
        to.encode("ascii")
        content = message(mail, server)
    except ValueError as error:
        raise ServiceError(_UNWRITABLE) from error
    try:
        with Postman(server, _SECONDS) as postman:
            postman.be_ready()
            postman.hand_over(to, content)
    except TransportError as error:
        raise ServiceError(_words(error)) from error


def write(
    to: str, language: str | None, subject: Text, intro: Sequence[Text], *, button: tuple[Text, str] | None = None,
    footer: Sequence[Text] = (),
) -> None:  # fmt: skip
    """Word and send one. ``button``: words and address. Raises ``ServiceError``."""
    tongue = language or "da"
    line = say(subject, tongue)
    values = {
        "language": tongue, "subject": line, "intro": [say(one, tongue) for one in intro],
        "button": (say(button[0], tongue), button[1]) if button else None, "footer": [say(one, tongue) for one in footer],
    }  # fmt: skip
    text, html = (current_app.jinja_env.get_template(f"mail/letter.{kind}").render(values) for kind in ("txt", "html"))
    send(to, line, text, html)


def send_reset(user: User, url: str) -> None:
    """The link to choose a new password. Raises ``ServiceError``."""
    write(
        user.email, user.language, _RESET, [_RESET_ASKED, _RESET_IGNORE], button=(_RESET_BUTTON, url), footer=[_LASTS]
    )


def send_confirmation(to: str, language: str | None, url: str) -> None:
    """The link that proves that somebody reads mails at an address. Raises ``ServiceError``."""
    write(to, language, _CONFIRM, [_CONFIRM_ASKED, _CONFIRM_IGNORE], button=(_CONFIRM_BUTTON, url), footer=[_LASTS])


def send_notice(to: str, language: str | None, happened: Text, subject: Text = CHANGED) -> None:
    """That something about signing in was changed. Raises ``ServiceError``."""
    write(to, language, subject, [happened, _NOT_YOU])


def _words(error: TransportError) -> Text:
    if isinstance(error, Unknown):
        return _NOT_KNOWN
    return _REJECTED if isinstance(error, Rejected) else _BROKEN if isinstance(error, Refused) else _AWAY


_NO_SERVER = Text(
    "Installationen kan ikke sende mails. Bed den, der driver serveren, om at sætte en mailserver op.",
    "This installation cannot send mails. Ask whoever runs the server to set up a mail server.",
)
_UNWRITABLE = Text(
    "Adressen kan ikke bruges til mails. Skriv den uden specialtegn.",
    "The address cannot be used for mails. Write it without special characters.",
)
_NOT_KNOWN = Text(
    "Mailserveren svarede ikke til sidst, så mailen er måske sendt. Se i indbakken, før du prøver igen.",
    "The mail server did not answer in the end, so the mail may have been sent. Look in the inbox before you try again.",
)
_REJECTED = Text(
    "Mailserveren ville ikke tage imod mailen. Er adressen skrevet rigtigt?",
    "The mail server did not accept the mail. Is the address written correctly?",
)
_BROKEN = Text(
    "Mailserveren sagde nej til installationens login. Den, der driver serveren, skal rette det.",
    "The mail server refused this installation's login. Whoever runs the server has to correct it.",
)
_AWAY = Text(
    "Mailserveren kan ikke nås lige nu, så mailen blev ikke sendt. Prøv igen om lidt.",
    "The mail server cannot be reached now, so the mail was not sent. Try again in a moment.",
)
_LASTS = Text("Linket virker i 2 timer og kun én gang.", "The link works for 2 hours, and only once.")
_RESET = Text("Vælg en ny adgangskode", "Choose a new password")
_RESET_ASKED = Text(
    "Nogen, formentlig dig, har bedt om at vælge en ny adgangskode til din bruger.",
    "Somebody, probably you, has asked to choose a new password for your account.",
)
_RESET_IGNORE = Text(
    "Var det ikke dig, så gør ingenting. Din adgangskode er den samme som før.",
    "If it was not you, do nothing. Your password is the same as before.",
)
_RESET_BUTTON = Text("Vælg en ny adgangskode", "Choose a new password")
_CONFIRM = Text("Bekræft din e-mail", "Confirm your e-mail")
_CONFIRM_ASKED = Text(
    "Denne adresse er skrevet på en bruger. Bekræft, at den er din.",
    "This address was entered for an account. Confirm that it is yours.",
)
_CONFIRM_IGNORE = Text("Kender du ikke til det, så gør ingenting.", "If you know nothing of it, do nothing.")
_CONFIRM_BUTTON = Text("Bekræft adressen", "Confirm the address")
_NOT_YOU = Text(
    "Var det ikke dig, så vælg straks en ny adgangskode, og sig det til en ejer eller administrator.",
    "If it was not you, choose a new password at once, and tell an owner or administrator.",
)
