"""Every file of the archive, rewritten: under the first key, or in another store. Each is whole at every moment.

Both may be stopped and begun again: what is done already is only looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import archive
from invoiceapp.services.export.archive import sealing

_SHOWN = 100


@dataclass(slots=True)
class Done:
    """What was done with how many files."""

    written: int = 0
    bytes: int = 0
    there: int = 0
    """As wanted already"""
    damaged: int = 0
    """Left as they are: nothing good could be made of them"""
    shown: list[str] = field(default_factory=list)
    """The first of those"""

    def leave(self, name: str) -> None:
        """Count a damaged one."""
        self.damaged += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(name)


def encrypt() -> Done:
    """Seal every file with the first of ``ENCRYPTION_KEYS``. Raises ``ServiceError`` unless the setting wants that."""
    if not config().archive_encryption:
        raise ServiceError(
            Text(
                "Kryptering af arkivet er ikke slået til. Sæt ARCHIVE_ENCRYPTION=1 for alle processer først.",
                "Encryption of the archive is not switched on. Set ARCHIVE_ENCRYPTION=1 for all processes first.",
            )
        )
    done, at = Done(), archive.current()
    for name in archive.names():
        with archive.reading(at):
            kept = at.get(name)
        if kept is None:
            # Deleted since the names were read.
            continue
        content = _content(name, kept)
        if content is None:
            done.leave(name)
        elif sealing.is_current(kept):
            done.there += 1
        else:
            _write(at, name, content)
            done.written += 1
            done.bytes += len(content)
    return done


def _content(name: str, kept: bytes) -> bytes | None:
    try:
        return archive.opened(name, kept)
    except (archive.ArchiveCorrupt, archive.ArchiveLocked):
        return None


def _write(at: archive.Store, name: str, content: bytes) -> None:
    with archive.writing(at):
        at.put(name, archive.seal(name, content), is_new=False)


def copy(url: str) -> Done:
    """Copy every file to the store behind ``url``, in the form that the settings want, and read each back.

    Raises ``ConfigurationError``, ``ArchiveUnavailable``, ``ServiceError`` where it is the archive itself.
    """
    source, target = archive.current(), archive.of_url(url)
    if source.url == target.url:
        raise ServiceError(
            Text(
                "Arkivet ligger allerede der. Skriv et andet sted.", "The archive is there already. Name another place."
            )
        )
    done = Done()
    for name in archive.names():
        if _is_good(target, name):
            done.there += 1
            continue
        with archive.reading(source):
            kept = source.get(name)
        if kept is None:
            continue
        content = _content(name, kept)
        if content is None:
            done.leave(name)
            continue
        _write(target, name, content)
        if not _is_good(target, name):
            raise archive.ArchiveUnavailable(
                Text(
                    f"Filen {name} kan ikke læses tilbage fra det nye sted. Det gamle arkiv er urørt.",
                    f"The file {name} cannot be read back from the new place. The old archive is untouched.",
                )
            )
        done.written += 1
        done.bytes += len(content)
    return done


def _is_good(at: archive.Store, name: str) -> bool:
    with archive.reading(at):
        kept = at.get(name)
    return kept is not None and _content(name, kept) is not None
