"""What other access points post to us: answers to what we sent, each with a signed receipt. Other documents we do not serve."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from invoiceapp.gateways.base import Incoming, Reply, Unwrapped
from invoiceapp.trust.chains import fingerprint

from . import receiving
from .errors import Duplicate, EbmsFault, NotServiced, ValueNotRecognized
from .receiving import MessageRefused, Opened, Trust
from .wss import Identity

log = logging.getLogger(__name__)

_RESPONSE = ("urn:oasis:names:specification:ubl:schema:xsd:ApplicationResponse-2", "ApplicationResponse")

#: Bytes of a response, which has some kilobytes: each one is kept.
LARGEST = 1_000_000


def unwrapped(
    incoming: Incoming,
    identities: Sequence[Identity],
    trust: Trust,
    *,
    checks_party: bool = True,
    told_of: Callable[[Opened], Mapping[str, str]] = lambda _: {},
) -> Unwrapped:
    """The response inside, and what its sender is told: a receipt, or the error and why.

    ``identities``: today's first; all of them may have been encrypted for. ``checks_party``: as ``receiving.open_message``.
    ``told_of``: what else is kept of a message in its headers.
    """
    ours = identities[0]
    ref_to: str | None = None
    try:
        opened = receiving.open_message(
            incoming.headers, incoming.content, [one.key for one in identities], trust, checks_party=checks_party
        )
        ref_to = opened.message.message_id
        _require_response(opened)
    except MessageRefused as error:
        log.warning("a message was refused: %s", error)
        return Unwrapped(None, _reply(receiving.refusal(error.fault, error.ref_to, ours)))
    except EbmsFault as fault:
        log.warning("a message is not served: %s", fault.detail)
        return Unwrapped(None, _reply(receiving.refusal(fault, ref_to, ours)))
    found = Incoming(opened.message.message_id, opened.payload, {**_told(opened), **told_of(opened)})
    twice = receiving.refusal(Duplicate("another message had this id"), ref_to, ours)
    return Unwrapped(found, _reply(receiving.receipt(opened, ours)), _reply(twice))


def _require_response(opened: Opened) -> None:
    """Raises ``EbmsFault``."""
    # The envelope names what it holds, or it is not read.
    if (opened.header.standard, opened.header.type) != _RESPONSE:
        raise NotServiced("only responses are received here")
    if len(opened.payload) > LARGEST:
        raise ValueNotRecognized(f"a response of more than {LARGEST} bytes")


def _reply(answer: receiving.Answer) -> Reply:
    # Errors, too, travel with HTTP 200 (ebMS 3.0 6.6).
    return Reply(200, answer.content, answer.media_type)


def _told(opened: Opened) -> Mapping[str, str]:
    """What is kept of the message around the document."""
    return {
        "content-type": "application/xml",
        "as4-message-id": opened.message.message_id,
        "as4-from": opened.message.sender.id,
        "as4-certificate-sha256": fingerprint(opened.certificate),
        "sbdh-sender": str(opened.header.sender),
        "sbdh-receiver": str(opened.header.receiver),
        "sbdh-instance": opened.header.instance_id,
    }
