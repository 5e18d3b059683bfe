"""Gzip with an end."""

from __future__ import annotations

import gzip

import pytest

from invoiceapp.gateways.as4 import compression
from invoiceapp.gateways.as4.errors import DecompressionFailure

CONTENT = b"<Invoice/>" * 1_000


def test_the_same_content_gives_the_same_bytes_and_comes_back():
    assert compression.compress(CONTENT) == compression.compress(CONTENT)
    assert compression.decompress(compression.compress(CONTENT), len(CONTENT)) == CONTENT
    assert gzip.decompress(compression.compress(CONTENT)) == CONTENT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        CONTENT,
        compression.compress(CONTENT)[:-1],
        compression.compress(CONTENT) + b"more",
        compression.compress(CONTENT) * 2,
        compression.compress(CONTENT + b"x"),
        compression.compress(b"\0" * 50_000_000),
    ],
)
def test_what_is_cut_doubled_or_too_large_is_refused(content):
    with pytest.raises(DecompressionFailure):
        compression.decompress(content, len(CONTENT))
