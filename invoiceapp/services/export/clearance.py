"""What keeps a document back although no format objects to it: its gateway, a missing approval, or that the
accounting system has sent it itself."""

from __future__ import annotations

from sqlalchemy import exists, select

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.settings import Settings
from invoiceapp.models import Delivery, Document, db
from invoiceapp.services.configuration.environments import may_reach, not_allowed
from invoiceapp.services.database import transaction
from invoiceapp.sources.base import Channel, NotFound, SentItself, Source

from . import reasons, trials
from .outbox import Work

SKIP, WARN, SEND = "skip", "warn", "send"


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


def _has_had_one(customer_id: str) -> bool:
    """Tests reach nobody, and what only waits may still be stopped."""
    of_customer = (Document.customer_id == customer_id) & (Delivery.document_id == Document.id)
    found = exists().where(of_customer, trials.left_for_real())
    return bool(db.session.scalar(select(found)))


def _needs_approval(work: Work, settings: Settings) -> bool:
    """Whether this would be the customer's first document, and nobody has let it go."""
    if not settings.general.approve_first or work.rule.approved_at is not None:
        return False
    with transaction():
        return not _has_had_one(work.rule.customer_id)


def findings(work: Work, source: Source, settings: Settings, sent: list[SentItself]) -> list[Finding]:
    """What is to be said of the document beside what rules and formats say."""
    found = [reasons.already_sent(source.label, one) for one in sent]
    if not may_reach(work.adaptor.environment, work.gateway.environment):
        found.append(not_allowed(work.gateway.name))
    if _needs_approval(work, settings):
        found.append(reasons.approve_first(work.document.customer_name))
    return found
