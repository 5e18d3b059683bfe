"""What Billy itself has sent: by e-mail (``sentState``) and as an e-invoice (``invoiceLogs``). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from invoiceapp.domain.findings import Text
from invoiceapp.sources.base import Channel, SentItself

from .records import Record, text

#: ``sentState`` of what did not leave Billy by e-mail. Any other state, also one that Billy did not have, counts as sent:
#: a person who is told can send it anyway, but nobody can take back a document that its receiver has twice.
_NOT_MAILED = frozenset({"unsent", "printed"})
_ARRIVED = frozenset({"received", "signedoff"})
_FAILED = "failed"
_SEEN = Text("kunden har åbnet det", "the customer has opened it")
_MEANINGS = {
    "sent": None,
    "resent": Text("det er sendt flere gange", "it was sent more than once"),
    "opened": _SEEN,
    "viewed": _SEEN,
    "received": Text("det er modtaget", "it was received"),
    "signedoff": Text("modtageren har godkendt det", "the receiver has accepted it"),
}
#: Of a state or an entry that Billy did not have.
_UNCERTAIN = Text(
    "Billy bruger et ord, som vi ikke kender, så det er ikke sikkert",
    "Billy uses a word that we do not know, so it is not certain",
)


def emailed(invoice: Record) -> SentItself | None:
    """Whether Billy has e-mailed the invoice; it does not say when."""
    state = text(invoice, "sentState")
    if state is None or state in _NOT_MAILED:
        return None
    return SentItself(Channel.EMAIL, None, f"sentState: {state[:100]}", _MEANINGS.get(state, _UNCERTAIN))


def _time(log: Record) -> datetime | None:
    """When it happened; None for a time that cannot be read. One without an offset is taken as UTC."""
    with suppress(ValueError):
        moment = datetime.fromisoformat(text(log, "eventTime") or "")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _kind(log: Record) -> str:
    return (text(log, "type") or "?")[:100]


def einvoiced(logs: Iterable[Record]) -> SentItself | None:
    """Whether Billy has sent the invoice as an e-invoice.

    What has arrived once is there, whatever failed afterwards (a second try fails *because* it was sent before).
    A kind of entry that we do not know may be a sending on its way; it counts unless a failure came after it.
    """
    ordered = sorted(logs, key=lambda log: _time(log) or datetime.min.replace(tzinfo=UTC))
    arrived = [log for log in ordered if _kind(log) in _ARRIVED]
    if arrived:
        return _sent(arrived[-1])
    if not ordered or _kind(ordered[-1]) == _FAILED:
        return None
    return _sent(ordered[-1])


def _sent(log: Record) -> SentItself:
    said = text(log, "message")
    detail = f"{_kind(log)}: {said[:300]}" if said else _kind(log)
    return SentItself(Channel.EINVOICE, _time(log), detail, _MEANINGS.get(_kind(log), _UNCERTAIN))
