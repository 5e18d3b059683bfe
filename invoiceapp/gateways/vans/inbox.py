"""The folder on the operator's server where answers are laid for us."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from pathlib import PurePosixPath

from invoiceapp.gateways.base import Incoming
from invoiceapp.gateways.file_drop import Mailbox

from .fields import DONE

log = logging.getLogger(__name__)

#: Bytes of the largest answer that is read; a CONTRL has a few hundred.
LARGEST = 1_000_000
#: Files that one look brings; the rest waits for the next.
MOST_FILES = 500
#: Seconds in which a file that is still being written grows.
SETTLE = 2.0
#: How servers and clients call files that are not whole yet.
_UNFINISHED = (".part", ".tmp", ".filepart", ".partial", ".writing")


class Inbox:
    """Reads whole files only; a name never leads out of the folder."""

    def __init__(self, box: Mailbox, folder: str, *, keeps: bool) -> None:
        """``keeps``: what is taken away goes to the folder ``done`` below."""
        self._box = box
        self._folder = PurePosixPath(folder)
        self._keeps = keeps

    def look(self) -> int:
        """How many files lie there, unfinished ones too. Raises a ``TransportError``."""
        return len(self._box.list_files(str(self._folder)))

    def files(self) -> Iterator[Incoming]:
        """What lies there and has stopped growing. Raises a ``TransportError``."""
        for name, size in self._settled():
            content = self._box.read_file(str(self._folder / name), LARGEST)
            if len(content) == size:
                yield Incoming(name, content)

    def take_away(self, incoming: Incoming) -> None:
        """Remove or keep aside. Raises a ``TransportError``."""
        path = self._folder / incoming.name
        if self._keeps:
            # Operators use a name again; with the hash another file is never replaced.
            digest = hashlib.sha256(incoming.content).hexdigest()[:8]
            self._box.move_file(str(path), str(self._folder / DONE / f"{digest}_{incoming.name}"))
        else:
            self._box.remove_file(str(path))

    def _settled(self) -> list[tuple[str, int]]:
        first = self._listed()
        if not first:
            return []
        time.sleep(SETTLE)
        later = dict(self._listed())
        return [(name, size) for name, size in first if later.get(name) == size][:MOST_FILES]

    def _listed(self) -> list[tuple[str, int]]:
        found = sorted(entry for entry in self._box.list_files(str(self._folder)) if _is_finished(*entry))
        for name, size in found:
            if size > LARGEST:
                log.warning("%r in the inbox has %d bytes and is left there", name, size)
        return [(name, size) for name, size in found if size <= LARGEST]


def _is_finished(name: str, size: int) -> bool:
    is_plain = "/" not in name and not name.startswith(".") and name.isprintable()
    return is_plain and size > 0 and not name.lower().endswith(_UNFINISHED)
