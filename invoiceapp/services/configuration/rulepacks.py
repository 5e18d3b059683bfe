"""Official rule packs as a thing to manage: add, list, verify, remove, and what judges documents today.

Needs no database, so that packs can be installed before the product runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import Format, registry
from invoiceapp.formats.validation import catalogue, installer, packs
from invoiceapp.formats.validation.installer import Added, Request
from invoiceapp.formats.validation.packs import PACKS, Edition, Pack
from invoiceapp.formats.validation.unpack import PackRefused
from invoiceapp.models import utcnow
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export.validators import today

#: Both publishers release twice a year; after this many months one has been missed.
OLD = 9
#: Days before a new edition takes over in which everybody is told.
SOON = timedelta(days=30)
#: What fetches and installs all packs.
INSTALL_COMMAND = "make rulepacks"


@dataclass(frozen=True, slots=True)
class EditionState:
    """One installed edition, as a list shows it."""

    edition: Edition
    is_in_use: bool
    is_coming: bool
    age: int | None
    """Whole months since it took effect; None where nobody knows, or where it has not"""
    warnings: tuple[Text, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON form; keys stay."""
        edition = self.edition
        return {
            "pack": edition.pack,
            "version": edition.version,
            "validFrom": edition.valid_from.isoformat() if edition.valid_from else None,
            "validTo": edition.valid_to.isoformat() if edition.valid_to else None,
            "inUse": self.is_in_use,
            "ageMonths": self.age,
            "addedAt": edition.added_at.isoformat() if edition.added_at else None,
            "source": edition.source or None,
            "warnings": [warning.en for warning in self.warnings],
        }


@dataclass(frozen=True, slots=True)
class PackState:
    """One pack: what judges by it today, what comes, and what somebody should know."""

    pack: Pack
    current: EditionState | None
    coming: tuple[EditionState, ...]
    warnings: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Judge:
    """One rule set of a format, today."""

    label: Text
    version: str | None
    """None: its pack is not installed"""
    since: date | None
    pack: str | None
    """None: comes with the product"""
    age: int | None
    """Whole months"""


@dataclass(frozen=True, slots=True)
class FormatState:
    """Which rule sets judge documents of a format today."""

    format: Format
    judges: tuple[Judge, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every official rule set is installed."""
        return all(judge.version for judge in self.judges)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except PackRefused as refused:
        raise ServiceError(refused.text) from refused


def add(request: Request) -> Added:
    """Install an edition out of a release. Raises ``ServiceError``; then nothing has changed."""
    with _refusals():
        return installer.add(request, config().rules_dir, utcnow(), today())


def check_place() -> None:
    """Raises ``ServiceError`` where ``RULES_DIR`` is something else than a folder."""
    place = config().rules_dir
    if place.exists() and not place.is_dir():
        raise ServiceError(Text(f"RULES_DIR {place} er ikke en mappe.", f"RULES_DIR {place} is not a folder."))


def editions() -> list[EditionState]:
    """All installed editions, by pack and version."""
    installed, on = packs.installed(config().rules_dir), today()
    return [_state(edition, installed, on) for edition in installed]


def _state(edition: Edition, installed: list[Edition], on: date) -> EditionState:
    current = packs.in_use(installed, edition.pack, on)
    is_in_use = current is not None and current.version == edition.version
    is_coming = edition in packs.coming(installed, edition.pack, on)
    state = EditionState(edition, is_in_use, is_coming, months(edition.known_start, on))
    return replace(state, warnings=tuple(_warnings(state, installed, on)))


def months(start: date | None, on: date) -> int | None:
    """Whole months from ``start``; None before it, or where it is not known."""
    if start is None or start > on:
        return None
    return (on.year - start.year) * 12 + on.month - start.month - (1 if on.day < start.day else 0)


def _warnings(state: EditionState, installed: list[Edition], on: date) -> Iterator[Text]:
    edition = state.edition
    if edition.problem:
        yield Text(
            f"Kan ikke bruges: {packs.MANIFEST} er beskadiget eller kan ikke læses.",
            f"Cannot be used: {edition.problem}.",
        )
    elif not edition.is_usable():
        yield Text(
            "Kan ikke bruges: filer mangler eller er beskadiget.", "Cannot be used: files are missing or damaged."
        )
    if not state.is_in_use:
        return
    if state.age is not None and state.age >= OLD:
        yield Text(
            f"Reglerne er {state.age} måneder gamle; der er formentlig kommet en nyere version.",
            f"The rules are {state.age} months old; there is probably a newer version.",
        )
    following = next(iter(packs.coming(installed, edition.pack, on)), None)
    takes_over = packs.takes_over(following, installed) if following else None
    if following and takes_over and takes_over - on <= SOON:
        yield Text(
            f"Version {following.version} tager over den {_danish(takes_over)}.",
            f"Version {following.version} takes over on {takes_over.isoformat()}.",
        )
    end = edition.valid_to
    if end and end - on <= SOON and packs.in_use(installed, edition.pack, on + SOON) is None:
        yield Text(
            f"Reglerne gælder kun til {_danish(end)}, og ingen nyere er installeret.",
            f"The rules end on {end.isoformat()}, and no newer ones are installed.",
        )


def _danish(day: date) -> str:
    """``02.11.2026``"""
    return day.strftime("%d.%m.%Y")


def overview() -> list[PackState]:
    """Every pack that this product knows, installed or not."""
    known = editions()
    return [_pack_state(pack, [state for state in known if state.edition.pack == pack.id]) for pack in PACKS.values()]


def _pack_state(pack: Pack, known: list[EditionState]) -> PackState:
    current = next((state for state in known if state.is_in_use), None)
    coming = sorted((state for state in known if state.is_coming), key=lambda state: str(state.edition.valid_from))
    warnings = [warning for state in known for warning in state.warnings]
    return PackState(pack, current, tuple(coming), tuple(dict.fromkeys(warnings)))


def formats() -> list[FormatState]:
    """Formats that have official rules, with what judges their documents today."""
    installed, on = packs.installed(config().rules_dir), today()
    states = [FormatState(fmt, _judges(fmt, installed, on)) for fmt in registry().values() if fmt.schemas]
    return [state for state in states if state.judges]


def _judges(fmt: Format, installed: list[Edition], on: date) -> tuple[Judge, ...]:
    asked = [slot for schema in fmt.schemas.values() for slot in catalogue.slots(schema.rules)]
    judges = []
    for slot in dict.fromkeys(asked):
        found = catalogue.resolve(slot, installed, on)
        edition = packs.in_use(installed, slot.pack, on) if slot.pack else None
        is_packed = edition is not None and found is not None and found.path.is_relative_to(edition.folder)
        pack = slot.pack if is_packed or found is None else None
        since = edition.known_start if edition and is_packed else None
        version = found.version if found else None
        judges.append(Judge(catalogue.NAMES[slot.name], version, since, pack, months(since, on)))
    return tuple(judges)


def formats_of(pack: str) -> list[str]:
    """Ids of the formats whose documents a pack judges."""
    return [
        fmt.id
        for fmt in registry().values()
        if any(catalogue.pack_of(rule) == pack for schema in fmt.schemas.values() for rule in schema.rules)
    ]


def edition(pack: str, version: str) -> Edition:
    """One installed edition. Raises ``ServiceError`` where there is none."""
    found = packs.installed(config().rules_dir, pack) if pack in PACKS else []
    for item in found:
        if item.version == version:
            return item
    raise ServiceError(
        Text(f"{pack} {version} er ikke installeret.", f"{pack} {version} is not installed."),
    )


def verify() -> dict[tuple[str, str], list[str]]:
    """What is wrong with each installed edition by pack and version; nothing for a sound one."""
    return {
        (item.pack, item.version): installer.verify(item) for item in packs.installed(config().rules_dir)
    }  # fmt: skip


def remove(pack: str, version: str, *, even_in_use: bool = False) -> None:
    """Take an edition away. Raises ``Conflict`` for one that judges documents today, else ``ServiceError``."""
    unwanted = edition(pack, version)
    current = packs.in_use(packs.installed(config().rules_dir, pack), pack, today())
    if current is not None and current.version == version and not even_in_use:
        raise Conflict(
            Text(
                f"{pack} {version} bruges i dag. Brug --even-in-use for at fjerne den alligevel.",
                f"{pack} {version} is in use today. Use --even-in-use to remove it all the same.",
            )
        )
    with _refusals():
        installer.remove(unwanted)
