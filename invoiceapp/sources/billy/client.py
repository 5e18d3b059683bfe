"""Billy's REST API v2: one company's token in, checked JSON out. Reads only (https://www.billy.dk/api/)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NoReturn, TypeGuard

import urllib3
from urllib3.util import Url, parse_url

from invoiceapp.domain.findings import Text
from invoiceapp.outbound.guard import Guard
from invoiceapp.sources.base import (
    STRICT,
    CredentialsRefused,
    NotFound,
    SourceChanged,
    SourceError,
    SourceUnavailable,
)
from invoiceapp.sources.pace import UNLIMITED, Pace

from .connection import CHANGED, Connection

BASE_URL = "https://api.billysbilling.com/v2"
DOWNLOAD_HOSTS = ("download.billy.dk", ".billysbilling.com", ".billy.dk")

LARGEST_JSON = 50_000_000
LARGEST_PDF = 30_000_000
#: Billy's own upper limit, and its default.
LARGEST_PAGE = 1000
MAX_PAGES = 10_000
#: How often a list is read from its start because it shrank meanwhile.
MAX_PASSES = 3
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

Record = dict[str, Any]

_MOVING = Text(
    "Listen i Billy blev ved med at ændre sig, mens den blev læst. Du skal ikke gøre noget; næste kørsel prøver igen.",
    "The list in Billy kept changing while it was read. You need not do anything; the next run tries again.",
)
_TOKEN_REFUSED = Text(
    "Billy afviste adgangsnøglen. Den er forkert, eller den er blevet slettet i Billy. "
    "Opret en ny i Billy under Indstillinger → Adgangsnøgler, og indsæt den her.",
    "Billy refused the access token. It is wrong, or it has been deleted in Billy. "
    "Create a new one in Billy under Settings → Access tokens and paste it here.",
)
_FORBIDDEN = Text(
    "Billy kender adgangsnøglen, men giver den ikke lov til at læse disse oplysninger. "
    "Bed en administrator af regnskabet i Billy om at oprette en adgangsnøgle, og indsæt den her.",
    "Billy knows the access token but does not let it read this information. "
    "Ask an administrator of the company in Billy to create an access token and paste it here.",
)
_BAD_TOKEN = Text(
    "Adgangsnøglen mangler, eller den har tegn, som en nøgle ikke kan have. Kopiér den igen fra Billy.",
    "The access token is missing or has characters that no token has. Copy it from Billy again.",
)
_BAD_ADDRESS = Text(
    "Adressen på Billy skal begynde med https://. Ret den i forbindelsens indstillinger.",
    "The address of Billy must begin with https://. Correct it in the settings of the connection.",
)
_NOT_FOUND = Text(
    "Billy har ikke længere det, vi spurgte efter. Kontrollér i Billy, om det er slettet.",
    "Billy no longer has what we asked for. Check in Billy whether it was deleted.",
)
_BAD_DOWNLOAD = Text(
    "PDF-filen blev ikke hentet, fordi Billy henviste til noget, der ikke er en PDF-fil hos Billy. "
    "Giv besked til den, der driver denne installation.",
    "The PDF was not fetched because Billy pointed to something that is not a PDF file at Billy. "
    "Tell whoever runs this installation.",
)
_NO_DOWNLOAD = Text(
    "Billy kunne ikke levere PDF-filen lige nu. Du skal ikke gøre noget; vi prøver igen.",
    "Billy could not deliver the PDF right now. You need not do anything; we will try again.",
)


class Forbidden(CredentialsRefused):
    """The token is right, and Billy keeps this from it: a right or a subscription that the company does not have."""


class RequestUnknown(SourceChanged):
    """Billy knows no such path, or will not have its parameters (HTTP 400 or 404)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the reading of a list goes on; it means the same whatever the page size is by then."""

    offset: int = 0
    """Records before it"""
    largest_total: int = 0
    """The most records that the list has had while this pass read it"""
    shrank: bool = False
    """Whether it has had fewer since"""
    passes: int = 0
    """Passes that shrinking has spoiled"""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, with the records that Billy sent along.

    ``sideloaded`` holds them by root name, e.g. ``contacts``. ``page_count`` and
    ``total`` are None where Billy did not say.
    """

    records: list[Record]
    sideloaded: Mapping[str, list[Record]]
    page_count: int | None = None
    total: int | None = None
    following: Place | None = None
    """Where the reading goes on; None after the last page"""


def _refuse_constant(name: str) -> NoReturn:
    """RFC 8259 section 6: NaN and Infinity are not JSON."""
    raise ValueError(f"{name} is not a number")


def _parse_json(body: bytes) -> Record | None:
    """The JSON object in ``body`` with exact decimals, or None where there is none."""
    # Nesting, huge integers and huge exponents raise the other three.
    with suppress(ValueError, RecursionError, ArithmeticError):
        document = json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
        if isinstance(document, dict):
            return document
    return None


def _is_record_list(value: object) -> TypeGuard[list[Record]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _page(document: Record, root: str, records: list[Record]) -> Page:
    """The records found under ``root``, and everything sent along with them."""
    meta = document.get("meta")
    paging = meta.get("paging") if isinstance(meta, dict) else None
    paging = paging if isinstance(paging, dict) else {}
    sideloaded = {name: value for name, value in document.items() if name != root and _is_record_list(value)}
    return Page(records, sideloaded, _count(paging.get("pageCount")), _count(paging.get("total")))


class BillyClient:
    """Reads from Billy with one company's token; use it in one thread.

    ``guard``, ``timeout``, ``sleep``, ``tries``, ``longest_wait`` and ``pace`` are those of ``Connection``.

    Methods raise ``SourceError`` only: ``CredentialsRefused`` (401, 403, or a
    token or address that cannot be right), ``NotFound``, ``SourceUnavailable``
    and ``SourceChanged``. No error, log or repr holds the token.
    """

    def __init__(
        self,
        token: str,
        base_url: str = BASE_URL,
        *,
        download_hosts: tuple[str, ...] = DOWNLOAD_HOSTS,
        guard: Guard = STRICT,
        timeout: float = 60,
        sleep: Callable[[float], None] = time.sleep,
        tries: int = 4,
        longest_wait: float = 30,
        pace: Pace = UNLIMITED,
    ) -> None:
        self._token = token.strip()
        # A header takes visible ASCII only; http.client would quote anything else in its error.
        if not re.fullmatch(r"[\x21-\x7e]+", self._token):
            raise CredentialsRefused(_BAD_TOKEN)
        self._base_url = base_url.strip().rstrip("/")
        self._base = _parse_base_url(self._base_url)
        self._download_hosts = download_hosts
        self._connection = Connection(guard, timeout, sleep, tries, longest_wait, pace)
        # PDFs come from another host: connections to both are kept.
        self._downloads = Connection(guard, timeout, sleep, tries, longest_wait, pace)

    def close(self) -> None:
        """Give connections back."""
        self._connection.close()
        self._downloads.close()

    def get_one(self, path: str, root: str, params: Mapping[str, str] | None = None) -> Record:
        """The record under ``root`` (singular) at ``path``, e.g. ``/invoices/abc`` and ``invoice``."""
        return self.get_page(path, root, params).records[0]

    def get_page(self, path: str, root: str, params: Mapping[str, str] | None = None) -> Page:
        """The same as a page of one record, for what was sent along with it."""
        document = self._json(path, params)
        record = document.get(root)
        if not isinstance(record, dict):
            raise SourceChanged(CHANGED, f"GET {path}: no object {root!r}")
        return _page(document, root, [record])

    def list_all(self, path: str, root: str, params: Mapping[str, str] | None = None) -> Iterator[Record]:
        """Every record of a list, each id once."""
        for page in self.pages(path, root, params):
            yield from page.records

    def pages(
        self,
        path: str,
        root: str,
        params: Mapping[str, str] | None = None,
        *,
        page_size: int = LARGEST_PAGE,
        place: Place | None = None,
    ) -> Iterator[Page]:
        """The pages of a list from ``place``, without records that an earlier page of this call had.

        A list that shrinks while it is read, or before somebody goes on with
        it, moves records to pages that are already behind us, so it is read
        again from its start, ``MAX_PASSES`` times at most; then
        ``SourceUnavailable``. It shows by the total, so one record gone and
        one come between two pages go unnoticed. A list without end is
        ``SourceChanged``.
        """
        seen: set[str] = set()
        of_pass: set[str] = set()
        following: Place | None = place or Place()
        while following is not None:
            here = following
            page = self._page_at(path, root, dict(params or {}), page_size, here)
            following = _following(here, page, page_size, of_pass)
            yield replace(_without(page, seen), following=following)
            if following and following.passes == here.passes:
                of_pass |= _ids(page)
            else:
                of_pass = set()

    def download(self, url: str) -> bytes:
        """The PDF at a ``downloadUrl``; the token does not go there.

        Raises ``SourceChanged`` for a foreign host, a redirect, more than
        ``LARGEST_PDF`` bytes or anything but a PDF, ``SourceUnavailable`` where
        the link does not work (any more): read the document again for a new one.
        """
        host = self._download_host(url)
        answer = self._downloads.get(url, {}, {}, LARGEST_PDF, f"PDF from {host}")
        if answer.status >= 400:
            raise SourceUnavailable(_NO_DOWNLOAD, f"PDF from {host}: HTTP {answer.status}")
        if answer.status != 200 or not answer.body.startswith(b"%PDF"):
            raise SourceChanged(_BAD_DOWNLOAD, f"PDF from {host}: HTTP {answer.status}, no PDF")
        return answer.body

    def _page_at(self, path: str, root: str, params: Mapping[str, str], page_size: int, here: Place) -> Page:
        """The page that holds the record at ``here``, as Billy sends it."""
        number = _number(here, page_size)
        if here.passes == MAX_PASSES:
            raise SourceUnavailable(_MOVING, f"GET {path}: the total fell in {MAX_PASSES} passes")
        if number > MAX_PAGES:
            raise SourceChanged(CHANGED, f"GET {path}: more than {MAX_PAGES} pages")
        document = self._json(path, {**params, "page": str(number), "pageSize": str(page_size)})
        records = document.get(root)
        if not _is_record_list(records):
            raise SourceChanged(CHANGED, f"GET {path}: no list {root!r}")
        return _page(document, root, records)

    def _json(self, path: str, params: Mapping[str, str] | None) -> Record:
        headers = {"X-Access-Token": self._token, "Accept": "application/json", "Accept-Language": "en_US"}
        answer = self._connection.get(self._base_url + path, params or {}, headers, LARGEST_JSON, f"GET {path}")
        document = _parse_json(answer.body)
        if answer.status != 200:
            raise self._error(answer.status, document or {}, path)
        if document is None:
            raise SourceChanged(CHANGED, f"GET {path}: no JSON object")
        return document

    def _error(self, status: int, document: Record, path: str) -> SourceError:
        """What an answer other than 200 means; ``document`` is Billy's error object."""
        code = str(document.get("errorCode") or "")
        said = f"{code} {document.get('errorMessage') or ''}".replace(self._token, "***")
        detail = f"GET {path}: HTTP {status} {' '.join(said.split())[:300]}".rstrip()
        if status == 401:
            return CredentialsRefused(_TOKEN_REFUSED, detail)
        if status in (402, 403):
            return Forbidden(_FORBIDDEN, detail)
        if status == 404 and code == "RECORD_NOT_FOUND":
            return NotFound(_NOT_FOUND, detail)
        if status in (400, 404):
            return RequestUnknown(CHANGED, detail)
        return SourceChanged(CHANGED, detail)

    def _download_host(self, url: str) -> str:
        """The host of a PDF's address, where it is one that we may ask (no reaching into the own network)."""
        try:
            # The parser that requests uses, so that both see the same host.
            parts = parse_url(url)
        except urllib3.exceptions.LocationParseError:
            parts = Url()
        host = parts.host or ""
        known = host == self._base.host or any(
            host == name or (name.startswith(".") and host.endswith(name)) for name in self._download_hosts
        )
        demo = parts.scheme == self._base.scheme == "http" and host == self._base.host
        if not known or not (parts.scheme == "https" or demo) or parts.auth:
            raise SourceChanged(_BAD_DOWNLOAD, f"PDF from {parts.scheme}://{host}: not allowed")
        return host


def _parse_base_url(base_url: str) -> Url:
    """https, or http on this machine (the demo); raises ``CredentialsRefused``."""
    try:
        parts = parse_url(base_url)
    except urllib3.exceptions.LocationParseError:
        parts = Url()
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.host in _LOOPBACK)
    if not secure or not parts.host or parts.auth or parts.query or parts.fragment:
        raise CredentialsRefused(_BAD_ADDRESS, "base_url is not https")
    return parts


def _ids(page: Page) -> set[str]:
    return {record["id"] for record in page.records if isinstance(record.get("id"), str)}


def _without(page: Page, seen: set[str]) -> Page:
    """The page without the records that ``seen`` has, to which its own ids are added; none without id is left out."""
    fresh = []
    for record in page.records:
        key = record.get("id")
        if not isinstance(key, str):
            fresh.append(record)
        elif key not in seen:
            seen.add(key)
            fresh.append(record)
    return replace(page, records=fresh)


def _number(here: Place, page_size: int) -> int:
    """The page that holds the record at ``here``; Billy counts from 1."""
    return here.offset // page_size + 1


def _following(here: Place, page: Page, page_size: int, earlier: set[str]) -> Place | None:
    """What to read after ``page``, which was read at ``here``; ``earlier`` are the ids of its pass."""
    largest, shrank, number = here.largest_total, here.shrank, _number(here, page_size)
    if page.total is not None:
        largest, shrank = max(largest, page.total), shrank or page.total < largest
    if not _is_last(page, number, page_size, earlier):
        return Place(number * page_size, largest, shrank, here.passes)
    return Place(passes=here.passes + 1) if shrank else None


def _is_last(page: Page, number: int, page_size: int, earlier: set[str]) -> bool:
    """Whether to stop after page ``number``; without paging data at a short page or one with nothing new."""
    if not page.records:
        return True
    if page.page_count is not None:
        return number >= page.page_count
    return len(page.records) < page_size or _ids(page) <= earlier
