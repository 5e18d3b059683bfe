"""Attempts and receipts in words."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from markupsafe import Markup

from invoiceapp.languages import say
from invoiceapp.models import Attempt, Receipt, dump_json

from .voices import speaker

#: Of the facts and ids that the transports keep, by their names there.
_LABELS = {
    "already_there": lazy_gettext("Was there already"),
    "body": lazy_gettext("The server's answer"),
    "body_sha256": lazy_gettext("SHA-256 of the answer"),
    "by": lazy_gettext("Marked by"),
    "content_hash": lazy_gettext("Checksum of the content"),
    "disposition": lazy_gettext("Result in the receipt"),
    "document": lazy_gettext("Document number"),
    "done_marker": lazy_gettext("File that says it is done"),
    "duplicate": lazy_gettext("Recognised as a repetition"),
    "encryption": lazy_gettext("Encryption"),
    "filename": lazy_gettext("File name"),
    "findings": lazy_gettext("Errors that were reported"),
    "headers": lazy_gettext("Headers of the answer"),
    "host_key": lazy_gettext("The server's fingerprint"),
    "id": lazy_gettext("Id of the file"),
    "idempotency_key": lazy_gettext("Key of the sending (Idempotency-Key)"),
    "interchange": lazy_gettext("Interchange reference (UNB)"),
    "looked_up": lazy_gettext("Found by asking the receiver"),
    "mdn": lazy_gettext("The receipt (MDN)"),
    "mdn_content_type": lazy_gettext("Type of the receipt"),
    "mdn_message_id": lazy_gettext("Message-ID of the receipt"),
    "message": lazy_gettext("Message reference (UNH)"),
    "message_id": lazy_gettext("Message-ID"),
    "mic": lazy_gettext("Checksum (MIC)"),
    "mic_algorithm": lazy_gettext("Method of the checksum"),
    "note": lazy_gettext("Reason"),
    "path": lazy_gettext("Place and name of the file"),
    "proved_by": lazy_gettext("Proved with"),
    "receiver": lazy_gettext("Receiver"),
    "recipient": lazy_gettext("Sent to"),
    "replies": lazy_gettext("The server's answers"),
    "reply": lazy_gettext("The server's answer"),
    "request_id": lazy_gettext("Id of the request"),
    "rev": lazy_gettext("Version of the file"),
    "sender": lazy_gettext("Sender"),
    "sent_mic": lazy_gettext("Our checksum (MIC)"),
    "sent_mic_algorithm": lazy_gettext("Method of our checksum"),
    "server": lazy_gettext("The server calls itself"),
    "server_modified": lazy_gettext("Saved at the receiver"),
    "sha256": lazy_gettext("SHA-256"),
    "signed_by": lazy_gettext("Signed with the certificate"),
    "size": lazy_gettext("Size in bytes"),
    "status": lazy_gettext("HTTP status"),
    "verdict": lazy_gettext("Outcome"),
    "code": lazy_gettext("Code of the answer"),
    "issued": lazy_gettext("Written on"),
    "lines": lazy_gettext("Said of single places"),
    "reasons": lazy_gettext("Reasons"),
    "response": lazy_gettext("Kind of answer"),
    "said_by": lazy_gettext("Who answered"),
    "sender_name": lazy_gettext("Name of who answered"),
    "sbdh_instance": lazy_gettext("Id of the message (SBDH)"),
}
_VERDICTS = {
    "arrived": lazy_gettext("Received"),
    "acknowledged": lazy_gettext("Acknowledged"),
    "rejected": lazy_gettext("Rejected"),
    "on its way": lazy_gettext("No final answer yet"),
}
#: Proper names, the same in every language.
_RESPONSES = {
    "application_response": "OIOUBL ApplicationResponse",
    "invoice_response": "Peppol Invoice Response",
    "mlr": "Peppol Message Level Response",
    "mls": "Peppol Message Level Status",
}


def label_of(name: str) -> str:
    """What a fact or a wire id is called; a name that is not ours to know stays as it is."""
    return str(_LABELS[name]) if name in _LABELS else Markup("<code>{}</code>").format(name)


def outcome(attempt: Attempt) -> str:
    """How an attempt ended, with the error where there was one."""
    words = {
        None: _("No outcome recorded"),
        "accepted": _("Handed over"),
        "refused": _("Our credentials or settings were refused"),
        "rejected": _("Rejected"),
        "unavailable": _("Not reached"),
        "unknown": _("No answer"),
    }
    outcome_words = words.get(attempt.outcome, str(attempt.outcome))
    return f"{outcome_words}: {say(attempt.error)}" if attempt.error else outcome_words


def evidence_of(receipt: Receipt) -> list[tuple[str, str | None]]:
    """The wire's facts, each with its label."""
    return [(label_of(name), _shown(name, value)) for name, value in receipt.evidence.items()]


def _shown(name: str, value: Any) -> str | None:
    if isinstance(value, bool):
        return str(_("Yes") if value else _("No"))
    if name == "verdict" and value in _VERDICTS:
        return str(_VERDICTS[value])
    if name == "response":
        return _RESPONSES.get(str(value), str(value))
    if name == "said_by":
        return speaker(str(value))
    if name in ("reasons", "lines"):
        return "; ".join(_told(one) for one in value)
    return value if value is None or isinstance(value, str) else dump_json(value)


def _told(one: dict[str, str]) -> str:
    """A reason, or what is said of one place, in words."""
    return ": ".join(part for part in (one.get("place"), say({"da": one["da"], "en": one["en"]})) if part)
