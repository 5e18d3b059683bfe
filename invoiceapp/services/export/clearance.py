"""What keeps a document back although no format objects to it: its gateway, a missing approval, or that the
accounting system has sent it itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.settings import Settings, SettingsInvalid
from invoiceapp.domain.settings.general import excludes
from invoiceapp.models import Document, Stage
from invoiceapp.services.configuration.environments import may_reach, not_allowed
from invoiceapp.services.configuration.settings import resolve
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.delivery import numbers, order
from invoiceapp.services.delivery.numbers import Holder
from invoiceapp.sources.base import Channel, NotFound, SentItself

from . import elsewhere, reasons, selection
from .ahead import Asked
from .elsewhere import SKIP, WARN
from .four_eyes import has_had_one
from .outbox import Work, keep_blocked, leave_out
from .rendering import broken_settings

SEND = "send"
#: After this many tries, about four hours, a person is told also of what may mend itself.
MOST_WAITS = 40


class GoesNoFurther(Exception):
    """Whatever the source would say, the document is not converted; ``keep`` writes down why."""

    def __init__(self, keep: Callable[[], None]) -> None:
        super().__init__()
        self.keep = keep


def settings_of(work: Work) -> Settings:
    """The settings to convert the document with. Raises ``GoesNoFurther``."""
    if selection.is_too_old(work.document, work.adaptor):
        raise GoesNoFurther(partial(leave_out, work, Stage.LISTED, selection.TOO_OLD.long, "excluded"))
    try:
        settings = work.destination.addressed(resolve(work.adaptor.settings, work.rule.settings))
    except SettingsInvalid as error:
        raise GoesNoFurther(partial(keep_blocked, work, broken_settings(error.errors), None)) from None
    if excludes(settings.general.document_types, work.document.type):
        why = selection.excluded(work.document.type).long
        raise GoesNoFurther(partial(leave_out, work, Stage.LISTED, why, "excluded"))
    return settings


def has_sources_pdf(document: Document) -> bool:
    """Whether the source's PDF is kept already."""
    return bool(document.pdf_sha256) and not document.pdf_is_own


def _policy(settings: Settings, channel: Channel) -> str:
    general = settings.general
    return general.already_mailed if channel is Channel.EMAIL else general.already_einvoiced


def channels_asked(work: Work, settings: Settings) -> frozenset[Channel]:
    """Of which ways the accounting system is asked whether it has used them: those that the settings want to know about.

    None where a person wants the document sent anyway: they are not asked again.
    """
    if work.document.send_anyway:
        return frozenset()
    return frozenset(channel for channel in Channel if _policy(settings, channel) != SEND)


def sent_itself(work: Work, source: Asked, settings: Settings) -> list[SentItself]:
    """How the accounting system has sent the document itself, as far as the settings want to know.

    Raises ``SourceError`` where it cannot answer.
    """
    channels = channels_asked(work, settings)
    if not channels:
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
    with reading():
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
    work: Work, source: Asked, settings: Settings, sent: list[SentItself], holder: Holder | None = None
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
