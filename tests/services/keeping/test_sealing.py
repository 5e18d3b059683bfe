from __future__ import annotations

import dataclasses
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoiceapp.services.keeping import sealing
from invoiceapp.services.keeping.sealing import BackupUnreadable, SealedReader, SealedWriter

SECRET = b"kanariefugl7391"
TAG = 16


def sealed(content: bytes) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file)
    writer.write(content)
    writer.finish()
    return file.getvalue()


def opened(content: bytes) -> bytes:
    return SealedReader(io.BytesIO(content)).read()


@pytest.fixture
def small(monkeypatch, app):
    """Chunks of ten bytes: three and a bit of them, and where they begin."""
    monkeypatch.setattr(sealing, "CHUNK", 10)
    content = sealed(SECRET * 2 + b"12345")
    begin = len(content) - (10 + TAG) * 3 - 5 - TAG
    return content[:begin], [content[at : at + 10 + TAG] for at in range(begin, len(content), 10 + TAG)]


@pytest.mark.parametrize("size", [0, 1, sealing.CHUNK - 1, sealing.CHUNK, sealing.CHUNK + 1, 3 * sealing.CHUNK])
def test_what_is_sealed_opens_as_it_was(app, size):
    content = bytes(size)
    assert opened(sealed(content)) == content


def test_nothing_of_the_content_can_be_read_and_no_two_files_are_alike(app, config):
    first, second = sealed(SECRET * 10), sealed(SECRET * 10)
    assert SECRET not in first and first != second
    assert config.encryption_keys[0].partition(":")[2].encode() not in first


def test_without_the_key_it_does_not_open_and_the_key_is_named(app, config, second_key):
    content = sealed(SECRET)
    app.extensions["invoiceapp.config"] = dataclasses.replace(config, encryption_keys=(second_key,))
    with pytest.raises(BackupUnreadable) as refused:
        opened(content)
    assert "k1" in refused.value.text.en and "ENCRYPTION_KEYS" in refused.value.text.da


def test_an_old_backup_opens_after_the_keys_were_rotated(app, config, second_key):
    content = sealed(SECRET)
    app.extensions["invoiceapp.config"] = dataclasses.replace(
        config, encryption_keys=(second_key, *config.encryption_keys)
    )
    assert opened(content) == SECRET
    assert b'"key": "k2"' in sealed(SECRET)


def test_another_key_of_the_same_name_does_not_open_it(app, config, second_key):
    content = sealed(SECRET)
    other = "k1:" + second_key.partition(":")[2]
    app.extensions["invoiceapp.config"] = dataclasses.replace(config, encryption_keys=(other,))
    with pytest.raises(BackupUnreadable):
        opened(content)


@pytest.mark.parametrize(
    "change",
    [
        lambda chunks: chunks[:-1],
        lambda chunks: chunks[:1],
        lambda _chunks: [],
        lambda chunks: chunks[1:],
        lambda chunks: [chunks[1], chunks[0], *chunks[2:]],
        lambda chunks: [chunks[0], chunks[0], *chunks[1:]],
        lambda chunks: [*chunks, chunks[-1]],
        lambda chunks: [*chunks[:-1], chunks[-1][:-1]],
        lambda chunks: [*chunks, b"x"],
    ],
    ids=["last gone", "first only", "none", "first gone", "changed places", "twice", "last twice", "cut", "more"],
)
def test_what_was_cut_or_put_in_another_order_does_not_open(small, change):
    header, chunks = small
    assert opened(header + b"".join(chunks)) == SECRET * 2 + b"12345"
    with pytest.raises(BackupUnreadable):
        opened(header + b"".join(change(chunks)))


def test_a_chunk_of_another_backup_does_not_fit(small):
    header, chunks = small
    other = sealed(SECRET * 2 + b"12345")[len(header) :]
    with pytest.raises(BackupUnreadable):
        opened(header + chunks[0] + other[10 + TAG :])


def test_any_changed_byte_is_found(app):
    content = sealed(SECRET)

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, len(content) - 1), st.integers(1, 255))
    def change(at: int, by: int) -> None:
        changed = bytearray(content)
        changed[at] ^= by
        with pytest.raises(BackupUnreadable):
            opened(bytes(changed))

    change()


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", sealing.MAGIC, sealing.MAGIC + b"[]\n", sealing.MAGIC + b"x" * 5000]
)
def test_another_file_is_no_backup(app, content):
    with pytest.raises(BackupUnreadable):
        opened(content)
