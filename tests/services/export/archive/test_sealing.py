"""Files that are encrypted at rest."""

from __future__ import annotations

import base64
import hashlib

import pytest

from invoiceapp.services.export import archive
from invoiceapp.services.export.archive import sealing

CONTENT = b"<Invoice>Hemmelig A/S</Invoice>"
SHA = hashlib.sha256(CONTENT).hexdigest()
NEW = "k2:" + base64.b64encode(bytes(range(32, 64))).decode()


@pytest.fixture
def path(config):
    return config.archive_dir / SHA[:2] / SHA[2:4] / SHA


@pytest.fixture
def encrypted(configured):
    return configured(archive_encryption=True)


def test_a_file_is_named_by_its_content_and_does_not_show_it(encrypted, path):
    assert archive.store(CONTENT) == SHA
    assert b"Hemmelig" not in path.read_bytes() and path.read_bytes().startswith(sealing.MAGIC + b"k1\n")
    assert archive.load(SHA) == CONTENT


def test_the_same_file_is_kept_once(encrypted, path):
    archive.store(CONTENT)
    before = path.read_bytes()
    archive.store(CONTENT)
    assert path.read_bytes() == before


def test_the_setting_may_be_switched_at_any_time(configured, path):
    archive.store(CONTENT)
    configured(archive_encryption=True)
    sealed = archive.store(b"later")
    assert archive.load(SHA) == path.read_bytes() == CONTENT
    configured(archive_encryption=False)
    assert archive.load(sealed) == b"later"


def test_a_sealed_file_under_another_name_does_not_open(encrypted, path):
    archive.store(CONTENT)
    other = archive.store(b"another invoice")
    path.write_bytes((path.parents[2] / other[:2] / other[2:4] / other).read_bytes())
    with pytest.raises(archive.ArchiveChanged):
        archive.load(SHA)


@pytest.mark.parametrize("position", [len(sealing.MAGIC) + 5, -1])
def test_a_changed_byte_is_found(encrypted, path, position):
    archive.store(CONTENT)
    kept = bytearray(path.read_bytes())
    kept[position] ^= 1
    path.write_bytes(kept)
    with pytest.raises(archive.ArchiveChanged):
        archive.load(SHA)


@pytest.mark.parametrize("length", [0, len(sealing.MAGIC), len(sealing.MAGIC) + 3, len(sealing.MAGIC) + 10])
def test_a_cut_file_is_not_given_out(encrypted, path, length):
    archive.store(CONTENT)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises((archive.ArchiveChanged, archive.ArchiveLocked)):
        archive.load(SHA)
    assert archive.store(CONTENT) == SHA and archive.load(SHA) == CONTENT


def test_a_key_that_is_not_there_can_come_back_and_is_named(encrypted, configured):
    archive.store(CONTENT)
    old = encrypted.encryption_keys
    configured(encryption_keys=(NEW,))
    with pytest.raises(archive.ArchiveLocked) as caught:
        archive.load(SHA)
    assert "»k1«" in caught.value.text.da and isinstance(caught.value, archive.ArchiveUnavailable)
    configured(encryption_keys=(NEW, *old))
    assert archive.load(SHA) == CONTENT


def test_the_first_key_seals_what_is_new(encrypted, configured, path):
    configured(encryption_keys=(NEW, *encrypted.encryption_keys))
    archive.store(CONTENT)
    assert path.read_bytes().startswith(sealing.MAGIC + b"k2\n")


def test_a_content_that_only_looks_sealed_is_what_it_is(app):
    """A partner may send anything, this too."""
    content = sealing.MAGIC + b"k1\n" + bytes(40)
    assert archive.load(archive.store(content)) == content


def test_the_key_of_the_archive_is_not_that_of_stored_passwords(encrypted, path):
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    archive.store(CONTENT)
    header = sealing.MAGIC + b"k1\n"
    rest = path.read_bytes()[len(header) :]
    with pytest.raises(InvalidTag):
        AESGCM(bytes(range(32))).decrypt(rest[:12], rest[12:], header + SHA.encode())
