"""Whether the archive has every file that something names, each as it was stored: all of it, or a part every night.

Names and files are both read in the order of their names and laid side by side, so a million of them need no memory. What
is found stands in ``damaged_file`` until the file is well again.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.models import ArchiveCheck, Damage, DamagedFile, Document, Rendition, db, utcnow
from invoiceapp.services.database import changed, reading, transaction
from invoiceapp.services.export import archive

from . import named

log = logging.getLogger(__name__)

#: Of each night: so many files, or this part of all where that is more.
NIGHTLY, NIGHTLY_PART = 500, 0.01
#: About so many files between two turns of other work.
SLICE = 200
_COPENHAGEN, _FIRST_HOUR = ZoneInfo("Europe/Copenhagen"), 1
_AGAIN = timedelta(minutes=10)
_BATCH, _SHOWN = 500, 100
_ALL = 16**64


@dataclass(slots=True)
class Verdict:
    """What was found."""

    checked: int = 0
    """Files that were read, or looked for in vain"""
    bytes: int = 0
    unnamed: int = 0
    """Files that nothing names: what a crash left behind, or what was stored a moment ago"""
    damages: Counter[Damage] = field(default_factory=Counter)
    shown: list[tuple[str, Damage]] = field(default_factory=list)
    """The first of the damaged ones"""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.damages


def verify(after: str = named.FIRST, upto: str = named.LAST) -> Verdict:
    """Read every file that something names and whose name lies in the range. Raises ``ArchiveUnavailable``."""
    verdict, batch, begin = Verdict(), list[str](), after
    with ExitStack() as stack:
        with reading() as session:
            names = stack.enter_context(named.gathered(session.connection(), after, upto))
        for name, is_named, _ in named.joined(names, archive.names(after, upto)):
            if not is_named:
                verdict.unnamed += 1
                continue
            batch.append(name)
            if len(batch) == _BATCH:
                _judge(verdict, batch, begin, name)
                begin, batch = name, []
        _judge(verdict, batch, begin, upto)
    return verdict


def _judge(verdict: Verdict, names: list[str], after: str, upto: str) -> None:
    """Read ``names``, which are all that count in the range, and keep what is wrong with them."""
    found: dict[str, Damage] = {}
    for name in names:
        try:
            verdict.bytes += len(archive.load(name))
        except archive.ArchiveMissing:
            found[name] = Damage.MISSING
        except archive.ArchiveChanged:
            found[name] = Damage.CHANGED
        except archive.ArchiveLocked:
            found[name] = Damage.LOCKED
    try:
        found = _kept(found, after, upto)
    except IntegrityError:
        # Somebody else found the same at the same moment.
        found = _kept(found, after, upto)
    verdict.checked += len(names)
    verdict.damages.update(found.values())
    verdict.shown += [*found.items()][: _SHOWN - len(verdict.shown)]


def _kept(found: dict[str, Damage], after: str, upto: str) -> dict[str, Damage]:
    """Make ``damaged_file`` say of the range what was found; that, without what was deleted meanwhile."""
    with transaction() as session:
        if found:
            still = named.still(session.connection(), found)
            found = {name: damage for name, damage in found.items() if name in still}
        kept = {
            row.sha256: row
            for row in session.scalars(
                select(DamagedFile).where(DamagedFile.sha256 > after, DamagedFile.sha256 <= upto)
            )
        }
        for name, row in kept.items():
            if name not in found:
                session.delete(row)
            else:
                row.damage = found[name]
        session.add_all(DamagedFile(sha256=name, damage=damage) for name, damage in found.items() if name not in kept)
    return found


def total() -> int:
    """About how many files there are to look at."""
    with reading() as session:
        pdfs = select(func.count()).select_from(Document).where(Document.pdf_sha256.is_not(None))
        return (session.scalar(select(func.count()).select_from(Rendition)) or 0) + (session.scalar(pdfs) or 0)


def sample(number: int) -> Verdict:
    """``verify`` of about ``number`` files from a place by chance: SHA-256 spreads names evenly."""
    count = total()
    if number >= count:
        return verify()
    width = _ALL * number // count
    begin = random.randrange(_ALL - width)  # noqa: S311 # nosec B311
    return verify(_name(begin), _name(begin + width))


def _name(number: int) -> str:
    return f"{min(number, _ALL - 1):064x}"


def _moved(position: str, files: int, count: int) -> str:
    """The name about ``files`` files behind ``position``."""
    return _name((int(position, 16) if position else 0) + _ALL * files // max(count, files, 1))


def is_due() -> bool:
    """Whether this night's part is still to be looked at. Asked by every tick."""
    now = utcnow().astimezone(_COPENHAGEN)
    newest = _newest()
    if newest is not None and newest.day >= now.date():
        return newest.finished_at is None and (newest.next_at is None or newest.next_at <= now)
    # What is younger than a day was read back when it was sent.
    oldest = db.session.scalar(select(Rendition.created_at).order_by(Rendition.id).limit(1))
    return now.hour >= _FIRST_HOUR and oldest is not None and oldest < now - timedelta(days=1)


def _newest() -> ArchiveCheck | None:
    return db.session.scalar(select(ArchiveCheck).order_by(ArchiveCheck.day.desc()).limit(1))


def night() -> bool:
    """One slice of this night's part, which begins where the last one ended; True while there is more.

    Two workers at once only do it twice.
    """
    count = total()
    check = _tonight(count)
    if check.finished_at is not None:
        return False
    position = check.position
    upto = min(_moved(position, SLICE, count), check.until)
    try:
        verdict = verify(position, upto)
    except archive.ArchiveUnavailable as error:
        log.warning("the archive cannot be verified: %s", error.text.en)
        with transaction() as session:
            session.execute(update(ArchiveCheck).where(ArchiveCheck.day == check.day).values(next_at=utcnow() + _AGAIN))
        return False
    is_over = upto >= check.until
    with transaction() as session:
        moved = session.execute(
            update(ArchiveCheck)
            .where(ArchiveCheck.day == check.day, ArchiveCheck.position == position)
            .values(
                position=upto, checked=ArchiveCheck.checked + verdict.checked, bytes=ArchiveCheck.bytes + verdict.bytes,
                finished_at=utcnow() if is_over else None, next_at=None,
            )
        )  # fmt: skip
        is_first = changed(moved)
    if not verdict.is_whole:
        log.error("the archive is damaged: %s", ", ".join(f"{name} {damage}" for name, damage in verdict.shown))
    return is_first and not is_over


def _tonight(count: int) -> ArchiveCheck:
    day = utcnow().astimezone(_COPENHAGEN).date()
    try:
        with transaction() as session:
            newest = _newest()
            if newest is not None and newest.day >= day:
                session.expunge(newest)
                return newest
            begin = newest.position if newest is not None and newest.position < named.LAST else named.FIRST
            check = ArchiveCheck(
                day=day, position=begin, until=_moved(begin, max(NIGHTLY, int(count * NIGHTLY_PART)), count)
            )
            session.add(check)
            session.execute(delete(ArchiveCheck).where(ArchiveCheck.day < day - timedelta(days=400)))
            session.flush()
            session.refresh(check)
            session.expunge(check)
    except IntegrityError:
        # Another worker began it.
        return _tonight(count)
    return check
