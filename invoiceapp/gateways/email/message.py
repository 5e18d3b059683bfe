"""From a consignment to one mail: addresses, headers, text, attachments."""

from __future__ import annotations

import email.policy
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from invoiceapp.domain.fields import FieldInvalid, parse_email
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Consignment, Payload, Refused, Rejected, safe_filename

from .failures import too_large
from .fields import DEFAULT_BODY, DEFAULT_SIZE_MB, DEFAULT_SUBJECT, TOKEN_PATTERN

#: CRLF (RFC 5322) and seven bits, so that no server needs 8BITMIME.
_POLICY = email.policy.SMTP.clone(cte_type="7bit")
_TYPES = {"invoice": "Faktura", "creditNote": "Kreditnota"}


def sender_of(config: Mapping[str, Any]) -> str:
    """The sender address. Raises ``Refused`` where it is not exactly one mailbox."""
    return _setting_mailbox(config["sender"])


def recipients_of(consignment: Consignment, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Who must get the mail: the fixed recipient, else the customer; then the further ones of the settings.

    Raises ``Refused`` for a setting and ``Rejected`` for a customer's address that
    is missing or not exactly one mailbox: pausing the gateway would not mend it.
    """
    fixed = config.get("recipient")
    found = [_setting_mailbox(fixed) if fixed else _customer_mailbox(consignment)]
    found += [_setting_mailbox(config[name]) for name in ("recipient_2", "recipient_3") if config.get(name)]
    return tuple(dict.fromkeys(found))


def copy_of(config: Mapping[str, Any]) -> str | None:
    """Who gets a blind copy. Raises ``Refused`` where it is not exactly one mailbox."""
    return _setting_mailbox(config["copy_to"]) if config.get("copy_to") else None


def message_id(consignment: Consignment, config: Mapping[str, Any]) -> str:
    """``<key@domain of the sender>``: the same in every attempt, so that a receiver can spot a repetition."""
    return f"<{consignment.key}@{config['sender'].partition('@')[2]}>"


def compose(consignment: Consignment, config: Mapping[str, Any]) -> bytes:
    """The whole mail as it goes on the wire, CRLF line ends.

    Raises ``Refused`` or ``Rejected`` where an address, header or attachment cannot be written, or it is too large.
    """
    recipients, identifier = recipients_of(consignment, config), message_id(consignment, config)
    message = EmailMessage(policy=_POLICY)
    try:
        message["From"] = Address(
            display_name=config.get("sender_name") or _one_line(consignment.sender_name), addr_spec=sender_of(config)
        )
        message["To"] = ", ".join(recipients)
        message["Subject"] = _filled(config.get("subject") or DEFAULT_SUBJECT, consignment)
        message["Date"] = format_datetime(datetime.now(UTC))
        message.set_content(_filled(config.get("body") or DEFAULT_BODY, consignment))
        for file in _attachments(consignment, config):
            _attach(message, file)
        # Written by hand: the library would fold it onto a second line, which some servers misread.
        mail = f"Message-ID: {identifier}\r\n".encode("ascii") + message.as_bytes()
    except ValueError as error:
        # The library refuses line breaks in headers, which would add headers of their own.
        raise Refused(
            Text(
                "Afsendernavn eller emne indeholder tegn, der ikke kan stå i en mail, f.eks. linjeskift. "
                "Ret dem i gatewayens indstillinger.",
                "Sender name or subject holds characters that cannot stand in a mail, such as line breaks. "
                "Correct them in the settings of the gateway.",
            ),
            str(error),
        ) from error
    if len(mail) > (limit := (config.get("size_mb") or DEFAULT_SIZE_MB) * 1_000_000):
        raise too_large(len(mail), limit)
    return mail


def _customer_mailbox(consignment: Consignment) -> str:
    address = (consignment.receiver_email or "").strip()
    if not address:
        raise Rejected(
            Text(
                f"Kunden »{consignment.receiver_name}« har ingen e-mailadresse. Tilføj den på kunden i "
                "regnskabssystemet eller her, og send igen.",
                f"The customer “{consignment.receiver_name}” has no e-mail address. Add it to the customer in the "
                "accounting system or here, and send again.",
            )
        )
    try:
        return parse_email(address)
    except FieldInvalid:
        raise Rejected(
            Text(
                f"Kundens e-mailadresse »{address}« kan ikke bruges. Ret den til én adresse i regnskabssystemet "
                "eller her, og send igen.",
                f"The customer's e-mail address “{address}” cannot be used. Correct it to one address in the "
                "accounting system or here, and send again.",
            )
        ) from None


def _setting_mailbox(raw: str) -> str:
    try:
        return parse_email(raw)
    except FieldInvalid as error:
        raise Refused(
            Text(
                f"Adressen »{raw}« i gatewayens indstillinger kan ikke bruges. {error.text.da}",
                f"The address “{raw}” in the settings of the gateway cannot be used. {error.text.en}",
            )
        ) from None


def _one_line(text: str) -> str:
    """Text from an invoice on one line and writable: it must not add lines to a header, nor stop the gateway."""
    # split() also knows the line ends of Unicode, which the mail library refuses in headers.
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", text).split())


def _filled(template: str, consignment: Consignment) -> str:
    """The template with its fixed tokens replaced in one pass, so that no value is read as a token."""
    known = consignment.file_name.values
    values = {
        "{number}": consignment.document_no,
        "{type}": _TYPES.get(consignment.document_type, consignment.document_type),
        "{sender}": consignment.sender_name,
        "{receiver}": consignment.receiver_name,
        "{date}": known.get("date", ""),
        "{order}": known.get("order", ""),
    }
    return re.sub(TOKEN_PATTERN, lambda token: _one_line(values[token[0]]), template)


def _attachments(consignment: Consignment, config: Mapping[str, Any]) -> list[Payload]:
    wants_pdf = config.get("with_pdf", True)
    pdfs = [file for file in consignment.companions if file.media_type == "application/pdf"]
    return [consignment.payload, *(pdfs if wants_pdf else ())]


def _attach(message: EmailMessage, file: Payload) -> None:
    """Base64 under a plain name; parameters of the media type such as ``charset`` are left out."""
    maintype, _, subtype = file.media_type.partition(";")[0].strip().partition("/")
    message.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=safe_filename(file.filename))
