"""Gzip (RFC 1952), with an end to what comes out of it."""

from __future__ import annotations

import gzip
import zlib

from .errors import DecompressionFailure


def compress(content: bytes) -> bytes:
    """The same bytes for the same content: no time stamp."""
    return gzip.compress(content, 6, mtime=0)


def decompress(content: bytes, most: int) -> bytes:
    """One member and nothing behind it. Raises ``DecompressionFailure``, for more than ``most`` bytes too."""
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = inflater.decompress(content, most + 1)
    except zlib.error:
        raise DecompressionFailure("no gzip") from None
    if len(found) > most:
        raise DecompressionFailure("more than is read")
    if not inflater.eof or inflater.unused_data:
        raise DecompressionFailure("cut, or more than one file")
    return found
