"""Asks partners what became of what they took, and fetches what buyers answered, until nothing more is to be expected."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from itertools import groupby

from invoiceapp.gateways.base import LaterReceipt, Refused, Transport, TransportError, Unavailable, Verdict
from invoiceapp.models import Delivery, Gateway, db
from invoiceapp.services import stopping
from invoiceapp.services.configuration import gateways
from invoiceapp.services.configuration.seen import keep_renewed
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery.moves import LeaseLost, lock_document
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import slots

from . import applying, matching, questions, storing
from .questions import Question
from .reading import ASKED_ABOUT, STATUS, said_later, wire_ids

log = logging.getLogger(__name__)

BATCH = 20
#: What a provider only sums up: the buyer's own words, where there are any, come first.
_OF_BUYERS = frozenset({Verdict.ACKNOWLEDGED, Verdict.REJECTED})
#: Seconds after which the rest of a batch waits: less than a job may take (``bell.JOB_TIMEOUT``).
_BUDGET = 500
#: Seconds of rest after a question that got no answer, at least, and the longest that a partner may ask for.
_AFTER_FAILURE = 300
_LONGEST_WISH = 3_600


def due() -> bool:
    """Whether anything is to be asked. Inside the caller's transaction."""
    return bool(questions.due(1))


def poll_due() -> int:
    """Ask about one batch; how many were due."""
    started = time.monotonic()
    with transaction():
        found = questions.due(BATCH)
    by_gateway = sorted(found, key=lambda question: question.gateway_id)
    for gateway_id, group in groupby(by_gateway, key=lambda question: question.gateway_id):
        _poll(gateway_id, list(group), started)
    return len(found)


def _poll(gateway_id: str, group: list[Question], started: float) -> None:
    """A gateway's part of a batch, over one connection."""
    try:
        with transaction() as session:
            gateway = session.get_one(Gateway, gateway_id, populate_existing=True)
            stored_secrets = dict(gateway.secrets)
            opened = gateways.open_transport(gateway)
    except ServiceError as error:
        log.warning("gateway %s: nothing is asked: %s", gateway_id, error.text.en)
        for question in group:
            questions.postpone(question, questions.LEASE)
        return
    with opened as transport, slots.taken(transport.host, transport.most_connections) as slot:
        if slot is None:
            for question in group:
                questions.postpone(question, slots.pause())
            return
        try:
            for question in stopping.until_asked(group):
                if time.monotonic() - started > _BUDGET or not slot.renew():
                    return
                if questions.claim(question) and not _ask(question, gateway, transport):
                    return
        finally:
            keep_renewed(gateway_id, stored_secrets, transport.renewed)


def _ask(question: Question, gateway: Gateway, transport: Transport) -> bool:
    """One delivery; False where the gateway refuses us, so that nothing more is asked there."""
    at_least = 0.0
    try:
        later = transport.status(*_reference(question.delivery_id))
        if later.verdict not in _OF_BUYERS:
            _apply(question, later)
        _responses(question, gateway, transport)
        if later.verdict in _OF_BUYERS:
            _apply(question, later)
    except TransportError as error:
        log.warning("delivery %s: no answer: %s", question.delivery_id, error.detail or error.text.en)
        wish = error.retry_after or 0 if isinstance(error, Unavailable) else 0
        at_least = max(_AFTER_FAILURE, min(wish, _LONGEST_WISH))
        if isinstance(error, Refused):
            # The same password is not tried again and again: partners lock accounts.
            with transaction():
                gateways.pause(question.gateway_id, error.text)
            return False
    except LeaseLost:
        log.info("delivery %s moved on while its partner was asked", question.delivery_id)
    except ServiceError as error:
        log.warning("delivery %s: an answer was not kept: %s", question.delivery_id, error.text.en)
        at_least = _AFTER_FAILURE
    except Exception:
        # One delivery must not keep the others waiting.
        log.exception("delivery %s: unexpected error while asking", question.delivery_id)
        at_least = _AFTER_FAILURE
    finally:
        db.session.rollback()
        questions.settle(question, at_least)
    return True


def _reference(delivery_id: str) -> tuple[str, dict[str, str]]:
    """The partner's id, and the newest try's wire ids."""
    with transaction() as session:
        tried = wire_ids(delivery_id)
        delivery = session.get_one(Delivery, delivery_id, populate_existing=True)
        return delivery.remote_ref or "", tried[0] if tried else {}


def _apply(question: Question, later: LaterReceipt) -> None:
    """As if it had come by itself."""
    with transaction() as session:
        lock_document(question.delivery_id)
        delivery = session.get_one(
            Delivery, question.delivery_id, populate_existing=True, with_for_update={"of": Delivery, "key_share": True}
        )
        if delivery.state in questions.OPEN:
            applying.apply(delivery, said_later(delivery.id, STATUS, later), later.verdict)


def _responses(question: Question, gateway: Gateway, transport: Transport) -> None:
    reference, _ids = _reference(question.delivery_id)
    for incoming in transport.responses(reference):
        about = {**incoming.headers, ASKED_ABOUT: question.delivery_id}
        message_id = storing.keep(gateway, replace(incoming, headers=about)).id
        matching.match_safely(message_id)
        # A read opened a transaction; none may be open while the partner is talked to.
        db.session.rollback()
