"""SOAP with attachments on the wire (RFC 2387 multipart/related, RFC 2046): packing and strict parsing."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser
from itertools import pairwise

from .errors import MimeInconsistency
from .names import OCTETS, SOAP_TYPE

#: What is taken in whole; a receipt has a few kilobytes.
LARGEST = 30_000_000
MOST_PARTS = 20
_LARGEST_HEAD = 16_384
_CONTENT_ID = re.compile(r"<([^<>\s]{1,500})>")


@dataclass(frozen=True, slots=True)
class Part:
    """One attachment. ``id`` is its Content-ID without angle brackets, as ``cid:`` addresses name it."""

    id: str
    content: bytes = field(repr=False)
    media_type: str = OCTETS


@dataclass(frozen=True, slots=True)
class Package:
    """What came in: the SOAP part, and the attachments in order."""

    soap: bytes = field(repr=False)
    parts: tuple[Part, ...] = ()


def pack(soap: bytes, parts: Sequence[Part]) -> tuple[str, bytes]:
    """The Content-Type header and the body. Without attachments the body is the SOAP envelope itself."""
    if not parts:
        return f"{SOAP_TYPE}; charset=UTF-8", soap
    boundary = f"----=_{secrets.token_hex(16)}"
    pieces = [_head(boundary, f"{SOAP_TYPE}; charset=UTF-8", None), soap]
    for part in parts:
        pieces += [b"\r\n", _head(boundary, part.media_type, part.id), part.content]
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return f'multipart/related; type="{SOAP_TYPE}"; boundary="{boundary}"', b"".join(pieces)


def _head(boundary: str, media_type: str, content_id: str | None) -> bytes:
    named = f"Content-ID: <{content_id}>\r\n" if content_id else ""
    return f"--{boundary}\r\nContent-Type: {media_type}\r\nContent-Transfer-Encoding: binary\r\n{named}\r\n".encode()


def content_type(headers: Mapping[str, str]) -> Message:
    """The Content-Type among HTTP headers with lower-case names, for its type and parameters."""
    message = Message()
    message["Content-Type"] = re.sub(r"[\r\n]+", " ", headers.get("content-type", ""))
    return message


def parse(headers: Mapping[str, str], body: bytes) -> Package:
    """What a request or an answer holds. Names of ``headers`` are lower-case. Raises ``MimeInconsistency``."""
    if len(body) > LARGEST:
        raise MimeInconsistency("more than is read")
    kind = content_type(headers)
    if kind.get_content_type() == SOAP_TYPE:
        return Package(body)
    if kind.get_content_type() != "multipart/related":
        raise MimeInconsistency("neither multipart/related nor application/soap+xml")
    boundary = kind.get_param("boundary")
    if not isinstance(boundary, str) or not 1 <= len(boundary) <= 200 or not boundary.isascii():
        raise MimeInconsistency("no boundary")
    found = [_part(piece) for piece in _pieces(body, boundary.encode())]
    first, rest = found[0], found[1:]
    start = kind.get_param("start")
    if isinstance(start, str) and start.strip("<>") != first.id:
        raise MimeInconsistency("the SOAP part must be the first")
    if first.media_type != SOAP_TYPE:
        raise MimeInconsistency("the first part is no SOAP 1.2")
    names = [part.id for part in rest]
    if "" in names or len(set(names)) < len(names):
        raise MimeInconsistency("an attachment without a Content-ID of its own")
    return Package(first.content, tuple(rest))


def _pieces(body: bytes, boundary: bytes) -> list[bytes]:
    """What lies between the boundaries; RFC 2046 5.1.1: the line break before a boundary belongs to it."""
    line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    marks = []
    for mark in line.finditer(body):
        marks.append(mark)
        if mark[1]:
            break
        if len(marks) > MOST_PARTS:
            raise MimeInconsistency("too many parts")
    if len(marks) < 2 or not marks[-1][1]:
        raise MimeInconsistency("the last boundary is missing: cut on its way")
    return [body[one.end() : following.start()] for one, following in pairwise(marks)]


def _part(piece: bytes) -> Part:
    piece = piece.removeprefix(b"\r\n") if piece.startswith(b"\r\n") else piece.removeprefix(b"\n")
    end = re.search(rb"(?:\A|\r?\n)\r?\n", piece[:_LARGEST_HEAD])
    if end is None:
        raise MimeInconsistency("a part without end of its head")
    head = BytesHeaderParser().parsebytes(piece[: end.start()] + b"\r\n\r\n")
    content = piece[end.end() :]
    encoding = str(head.get("Content-Transfer-Encoding", "binary")).strip().lower()
    if encoding == "base64":
        try:
            content = base64.b64decode(b"".join(content.split()), validate=True)
        except binascii.Error:
            raise MimeInconsistency("no base64") from None
    elif encoding not in ("binary", "8bit", "7bit"):
        raise MimeInconsistency("a transfer encoding that is not known")
    named = _CONTENT_ID.fullmatch(str(head.get("Content-ID", "")).strip())
    return Part(named[1] if named else "", content, head.get_content_type())
