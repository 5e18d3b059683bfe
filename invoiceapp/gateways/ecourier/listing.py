"""eCourier's list of documents: whether one of ours is among them. It takes no key of ours, so all that is sent is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from invoiceapp.gateways.providers import as_reference, members, objects

from .ubl import Identity, identity
from .words import FAILED, KINDS, RESPONSE

#: A lost answer is asked about within hours; what is older than this is of no earlier try.
PERIOD = timedelta(days=14)
PER_PAGE = 100
MOST_PAGES = 20
#: Documents that are opened for one question.
MOST_OPENED = 200


class CannotTell(Exception):
    """The list does not prove a no; the text is for the log."""


def pages(get: Callable[[str], bytes], **filters: str) -> Iterator[list[dict[str, Any]]]:
    """All that fits the filters, newest first. ``get``: the body at a path, or raises. Raises ``CannotTell`` where the list
    cannot be read to its end.
    """
    wanted = {f"filter[{name}]": value for name, value in filters.items()}
    for page in range(1, MOST_PAGES + 1):
        query = {**wanted, "sort": "-created_at", "per_page": PER_PAGE, "page": page}
        answer = members(get(f"/documents?{urlencode(query)}"))
        if not isinstance(answer.get("data"), list):
            raise CannotTell("no list of documents")
        yield objects(answer["data"])
        if _is_last(answer, page):
            return
    raise CannotTell(f"more than {MOST_PAGES} pages")


def entries(get: Callable[[str], bytes], channel: str) -> Iterator[dict[str, Any]]:
    """What was sent by a channel, newest first, until the period is over. Raises ``CannotTell``."""
    horizon, newest = datetime.now(UTC) - PERIOD, datetime.max.replace(tzinfo=UTC)
    for page in pages(get, channel=channel, direction="Send"):
        found = [(_moment(entry), entry) for entry in page]
        moments = [newest, *(moment for moment, _ in found)]
        if moments != sorted(moments, reverse=True):
            # The first old one would end the reading too early.
            raise CannotTell("the list is not in order")
        for newest, entry in found:
            if newest < horizon:
                return
            yield entry


def waiting_responses(get: Callable[[str], bytes]) -> list[str]:
    """Ids of the business responses that nobody has fetched yet, oldest first. Raises ``CannotTell``."""
    found = [entry for page in pages(get, direction="Receive", status="Ready") for entry in page]
    ids = (as_reference(entry.get("id")) for entry in found if entry.get("type") == RESPONSE)
    return [one for one in ids if one is not None][::-1]


def _moment(entry: dict[str, Any]) -> datetime:
    try:
        found = datetime.fromisoformat(str(entry.get("created_at")))
    except ValueError:
        raise CannotTell("a document without created_at") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_last(answer: dict[str, Any], page: int) -> bool:
    meta = answer.get("meta")
    last = meta.get("last_page") if isinstance(meta, dict) else None
    if not isinstance(last, int):
        raise CannotTell("no last_page")
    return page >= last


def _may_be(entry: dict[str, Any], wanted: Identity) -> bool:
    """Whether it must be opened to know. One that failed is no reason not to send again."""
    if str(entry.get("status")).lower() == FAILED or str(entry.get("type")) in KINDS - {wanted.kind}:
        return False
    # Not every answer of eCourier's tells the numbers (``payload.document.ubl`` of its webhooks does).
    ubl = entry.get("ubl")
    number = ubl.get("id") if isinstance(ubl, dict) else None
    return number in (None, wanted.number)


def search(get: Callable[[str], bytes], channel: str, wanted: Identity) -> str | None:
    """The id of the newest document that is ``wanted`` and has not failed; None where there is none. Raises ``CannotTell``."""
    opened = 0
    for entry in entries(get, channel):
        document = as_reference(entry.get("id"))
        if document is None:
            raise CannotTell("a document without id")
        if not _may_be(entry, wanted):
            continue
        opened += 1
        if opened > MOST_OPENED:
            raise CannotTell(f"more than {MOST_OPENED} documents")
        found = identity(get(f"/documents/{document}/xml"))
        if found is None:
            raise CannotTell(f"{document} cannot be read")
        if found == wanted:
            return document
    return None
