"""Mails as they are kept in the outbox: worded, rendered, addressed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from flask import current_app

from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.models import Mail, MailState, Recipient, new_id

NOTICES, CONFIRM = "notices", "confirm"
#: How long a mail is tried: older news is no news.
MOST_AGE = timedelta(hours=24)
#: Characters of a subject that programs show.
SUBJECT = 150


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is told, in the receiver's language."""

    title: str
    body: str = ""
    url: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines that belong together."""

    heading: str
    lines: list[Line] = field(default_factory=list)


def say(text: Text, language: str) -> str:
    """In the receiver's language."""
    return text.en if language == "en" else text.da


def write(
    recipient: Recipient, kind: str, subject: str, *, now: datetime, intro: list[str], sections: list[Section] | None = None,
    button: tuple[str, str] | None = None, footer: list[str] | None = None, unsubscribe: tuple[str, str] | None = None,
) -> Mail:  # fmt: skip
    """A mail for the outbox; the caller's transaction keeps it.

    ``button`` and ``unsubscribe``: words and address.
    """
    mail_id = new_id()
    values = {
        "language": recipient.tongue, "subject": _one_line(subject), "intro": intro, "sections": sections or [],
        "button": button, "footer": footer or [], "unsubscribe": unsubscribe,
    }  # fmt: skip
    # Not by Flask: what its pages know of the visitor is not for a mail.
    pages = {
        name: current_app.jinja_env.get_template(f"mail/letter.{name}").render(**values) for name in ("txt", "html")
    }
    return Mail(
        id=mail_id, subscription_id=recipient.subscription_id, recipient_id=recipient.id, kind=kind, to=recipient.address,
        language=recipient.tongue, subject=_one_line(subject), text=pages["txt"], html=pages["html"],
        unsubscribe=unsubscribe[1] if unsubscribe else None, message_id=message_id(mail_id), state=MailState.PENDING,
        next_at=now, ends_at=now + MOST_AGE, created_at=now,
    )  # fmt: skip


def _one_line(text: str) -> str:
    """Line breaks would end a header."""
    joined = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return joined if len(joined) <= SUBJECT else f"{joined[: SUBJECT - 1]}…"


def message_id(mail_id: str) -> str:
    """The same in every try, so that a receiver can spot a repetition."""
    server = config().mail
    domain = server.sender.partition("@")[2] if server else urlsplit(config().base_url).hostname
    return f"<{mail_id.lower()}@{domain}>"


_SUBJECT_CONFIRM = Text(
    "Vil du have besked om fakturaer fra {company}?", "Do you want to be told about invoices of {company}?"
)
_INTRO_CONFIRM = Text(
    "{company} har skrevet denne adresse på til beskeder om fakturaer, der sendes. Vil du have dem, så bekræft det her. Gør du "
    "ikke noget, får du ikke flere mails.",
    "{company} has entered this address for messages about the invoices that it sends. If you want them, confirm here. If you "
    "do nothing, you will get no more mails.",
)
_CONFIRM = Text("Ja, send mig beskeder", "Yes, send me messages")
_ENDS = Text("Linket virker i 7 dage.", "The link works for 7 days.")


def confirmation(recipient: Recipient, company: str, url: str, now: datetime) -> Mail:
    """The question to another address."""
    language = recipient.tongue
    subject, intro = (say(text, language).replace("{company}", company) for text in (_SUBJECT_CONFIRM, _INTRO_CONFIRM))
    return write(
        recipient, CONFIRM, subject, now=now, intro=[intro], button=(say(_CONFIRM, language), url),
        footer=[say(_ENDS, language)],
    )  # fmt: skip
