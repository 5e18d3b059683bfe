"""MIME entities as octets: what is signed and hashed must be exactly what travels (RFC 1847, RFC 2045).

The standard library's ``email`` package parses and writes anew; here nothing may change on the way.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message

_LINE_END = re.compile(rb"\r?\n")
_HEADER = re.compile(r"([!-9;-~]+)[ \t]*:[ \t]*(.*)", re.DOTALL)
#: RFC 2045 6.8: base64 lines have 76 characters, which are 57 octets.
_OCTETS_PER_LINE = 57
_LONGEST_TYPE = 2_000


class NotMime(ValueError):
    """Octets that are no entity of the kind that was asked for."""


@dataclass(frozen=True, slots=True)
class Entity:
    """Headers (name and value as written, in order) and a body still in its transfer encoding."""

    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def octets(self) -> bytes:
        """Header lines, an empty line and the body, as it stands inside another entity."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        return lines.encode("ascii") + b"\r\n" + self.body

    def all(self, name: str) -> list[str]:
        """The values of a header, in any case of letters."""
        return [value for known, value in self.headers if known.lower() == name]

    def only(self, name: str) -> str:
        """The value of a header that stands there once, else an empty text. Raises ``NotMime`` where it stands twice."""
        values = self.all(name)
        if len(values) > 1:
            raise NotMime(f"{name} stands there {len(values)} times")
        return values[0] if values else ""

    @property
    def media_type(self) -> str:
        """Such as ``multipart/report``."""
        return self.only("content-type").partition(";")[0].strip().lower()

    def parameter(self, name: str) -> str:
        """A parameter of the content type; empty where it has none. Raises ``NotMime``."""
        declared = self.only("content-type")
        if len(declared) > _LONGEST_TYPE:
            # The standard library takes minutes for some that are as long as a message.
            raise NotMime("an endless content type")
        header = Message()
        header["Content-Type"] = declared
        value = header.get_param(name, "")
        return value if isinstance(value, str) else ""

    @property
    def content(self) -> bytes:
        """The body without its transfer encoding. Raises ``NotMime``."""
        encoding = self.only("content-transfer-encoding").strip().lower()
        if encoding == "base64":
            try:
                return base64.b64decode(b"".join(self.body.split()), validate=True)
            except binascii.Error as error:
                raise NotMime("broken base64") from error
        if encoding == "quoted-printable":
            return quopri.decodestring(self.body)
        if encoding in ("", "7bit", "8bit", "binary"):
            return self.body
        raise NotMime("unknown transfer encoding")


def part(headers: Mapping[str, str], content: bytes, *, encode: bool) -> Entity:
    """A body part of our own, in base64 (``encode``) or as it is."""
    encoding = "base64" if encode else "binary"
    body = base64_lines(content) if encode else content
    return Entity((*headers.items(), ("Content-Transfer-Encoding", encoding)), body)


def base64_lines(content: bytes) -> bytes:
    """Base64 in lines that end with CRLF."""
    starts = range(0, len(content), _OCTETS_PER_LINE)
    return b"".join(base64.b64encode(content[at : at + _OCTETS_PER_LINE]) + b"\r\n" for at in starts)


def joined(boundary: str, parts: Iterable[bytes]) -> bytes:
    """The body of a multipart (RFC 2046 5.1.1)."""
    line = f"--{boundary}".encode("ascii")
    return b"".join(line + b"\r\n" + octets + b"\r\n" for octets in parts) + line + b"--\r\n"


def parse(octets: bytes) -> Entity:
    """An entity from its octets. Raises ``NotMime``."""
    head, body = _divide(octets)
    return Entity(tuple(fields(head)), body)


def _divide(octets: bytes) -> tuple[bytes, bytes]:
    if empty := re.match(rb"\r?\n", octets):
        return b"", octets[empty.end() :]
    end = re.search(rb"\r?\n\r?\n", octets)
    return (octets[: end.start()], octets[end.end() :]) if end else (octets, b"")


def fields(block: bytes) -> list[tuple[str, str]]:
    """Header fields, unfolded (RFC 5322 2.2.3). Raises ``NotMime`` for a line that is none."""
    found: list[tuple[str, list[str]]] = []
    for line in _LINE_END.split(block):
        text = line.decode("utf-8", "replace")
        if text[:1] in (" ", "\t") and found:
            found[-1][1].append(text.strip())
        elif text.strip():
            matched = _HEADER.fullmatch(text)
            if not matched:
                raise NotMime("a line that is no header")
            found.append((matched[1], [matched[2].strip()]))
    return [(name, " ".join(lines)) for name, lines in found]


def parts(entity: Entity) -> list[bytes]:
    """The octets of a multipart's parts, untouched. Raises ``NotMime`` where it is none or its end is missing."""
    boundary = entity.parameter("boundary")
    if not entity.media_type.startswith("multipart/") or not 0 < len(boundary) <= 200:
        raise NotMime("no multipart")
    line = re.escape(boundary.encode("utf-8", "replace"))
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + line + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    found: list[bytes] = []
    start: int | None = None
    for met in delimiter.finditer(entity.body):
        if start is not None:
            found.append(_without_line_end(entity.body[start : met.start()]))
        if met[1]:
            return found
        start = met.end()
    raise NotMime("the multipart does not end")


def _without_line_end(octets: bytes) -> bytes:
    """Without the end of the delimiter line before it."""
    end = re.match(rb"\r?\n", octets)
    return octets[end.end() :] if end else octets
