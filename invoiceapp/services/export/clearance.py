"""What keeps a document back although no format objects to it: its gateway, a missing approval, or that the
accounting system has sent it itself."""

from __future__ import annotations

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.settings import Settings
from invoiceapp.services.configuration.environments import may_reach, not_allowed
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery import numbers, order
from invoiceapp.services.delivery.numbers import Holder
from invoiceapp.sources.base import Channel, NotFound, SentItself, Source

from . import elsewhere, reasons, selection
from .elsewhere import SKIP, WARN
from .four_eyes import has_had_one
from .outbox import Work

SEND = "send"


def _policy(settings: Settings, channel: Channel) -> str:
    general = settings.general
    return general.already_mailed if channel is Channel.EMAIL else general.already_einvoiced


def sent_itself(work: Work, source: Source, settings: Settings) -> list[SentItself]:
    """How the accounting system has sent the document itself, as far as the settings want to know.

    Raises ``SourceError`` where it cannot answer. A person who wants the document sent anyway is not asked again.
    """
    channels = frozenset(channel for channel in Channel if _policy(settings, channel) != SEND)
    if work.document.send_anyway or not channels:
        return []
    try:
        return source.already_sent(work.document.source_id, channels)
    except NotFound:
        # Gone there since it was read; it is exported as it was approved.
        return []


def to_skip(sent: list[SentItself], settings: Settings) -> list[SentItself]:
    """Those for which the settings say to leave the document out."""
    return [one for one in sent if _policy(settings, one.channel) == SKIP]


def other_way(work: Work) -> Holder | None:
    """Who has the document's number, unless a person wants this one sent beside it."""
    with transaction():
        holder = numbers.look(work.document, work.adaptor, work.gateway.environment)
    return None if holder is not None and holder.document_id == work.document.beside_id else holder


def is_skipped(holder: Holder, settings: Settings) -> bool:
    """Whether the settings leave out what goes by the other way."""
    return holder.is_same_record and settings.general.already_elsewhere == SKIP


def _of_other_way(work: Work, settings: Settings, holder: Holder) -> list[Finding]:
    if not elsewhere.goes_beside(work.document, holder, settings.general.already_elsewhere):
        return [reasons.number_taken(work.document.type, holder)]
    return [reasons.sent_elsewhere(holder)] if settings.general.already_elsewhere == WARN else []


def _of_order(work: Work) -> list[Finding]:
    """What to know of a credit note whose invoice does not leave from here."""
    with transaction():
        invoice = order.invoice_of(work.document)
        if invoice is None or invoice.status not in order.UNSENT or selection.is_too_old(invoice, work.adaptor):
            return []
        return [reasons.before_invoice(invoice)]


def _needs_approval(work: Work, settings: Settings) -> bool:
    """Whether this would be the customer's first document, and nobody has let it go."""
    if not settings.general.approve_first or work.rule.approved_at is not None:
        return False
    with transaction():
        return not has_had_one(work.rule.customer_id)


def findings(
    work: Work, source: Source, settings: Settings, sent: list[SentItself], holder: Holder | None = None
) -> list[Finding]:
    """What is to be said of the document beside what rules and formats say. ``holder`` has its number."""
    found = [reasons.already_sent(source.label, one) for one in sent]
    if holder is not None:
        found += _of_other_way(work, settings, holder)
    found += _of_order(work)
    if not may_reach(work.adaptor.environment, work.gateway.environment):
        found.append(not_allowed(work.gateway.name))
    if _needs_approval(work, settings):
        found.append(reasons.approve_first(work.document.customer_name))
    return found
