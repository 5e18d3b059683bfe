"""Packs of many documents, written in the background: a folder below the instance for what is being written, then the zip.

A slice takes the draft under a name of its own and lays it back when its work is committed. So a worker that died, or was
overtaken, leaves a draft that nobody goes on with: the next one begins anew, a few times at most.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from invoiceapp.domain.findings import Text
from invoiceapp.models import Job, db, utcnow
from invoiceapp.services import background
from invoiceapp.services.background import Progress
from invoiceapp.services.daily.bulk_actions import Selection, chosen
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError

from . import packs
from .gathering import DocumentGone
from .pack import Draft, Made
from .packs import GONE

KIND = "evidence"
#: Documents of one pack: some minutes of work, and a zip that still opens everywhere.
MOST = 5000
_MOST_BEGINNINGS = 5
_DRAFT = "draft"
_GOING_ON = Text(
    "Der laves allerede en bevispakke. Vent, til den er færdig, og prøv så igen.",
    "An evidence pack is being made already. Wait until it is ready, and try again then.",
)
_NOTHING = Text("Vælg mindst ét dokument.", "Select at least one document.")
_STOPS = Text(
    "Pakken kunne ikke skrives færdig, selv om vi prøvede flere gange. Vælg færre dokumenter, eller giv besked til den, der driver "
    "serveren.",
    "The pack could not be finished although we tried several times. Choose fewer documents, or tell whoever runs the server.",
)


def start(adaptor_id: str, selection: Selection, actor: str) -> str:
    """Make a pack of the selected documents; the job's id.

    Raises ``ServiceError`` where there are none or too many, and ``Conflict`` while the adaptor has another one going on.
    """
    ids = sorted({one.id for one in chosen(adaptor_id, selection)})
    if not ids:
        raise ServiceError(_NOTHING)
    if len(ids) > MOST:
        raise ServiceError(
            Text(
                f"Der er valgt {len(ids)} dokumenter, og en bevispakke tager højst {MOST}. Vælg færre, f.eks. en kortere periode.",
                f"{len(ids)} documents are chosen, and an evidence pack takes {MOST} at most. Choose fewer, for example a shorter "
                "period.",
            )
        )
    try:
        return background.start(adaptor_id, KIND, actor=actor, items="".join(ids), total=len(ids))
    except Conflict as error:
        raise Conflict(_GOING_ON) from error


def active(adaptor_id: str) -> Job | None:
    """The job that makes a pack of the adaptor's documents now."""
    return background.active(adaptor_id, KIND)


def run(progress: Progress) -> bool:
    """A slice of a job, the handler of ``KIND``; True while there is more. Raises ``ServiceError``, ``LeaseLost``."""
    ends = time.monotonic() + background.SLICE
    with transaction():
        ids = packs.ids_of(db.session.get_one(Job, progress.job_id))
    folder, position = _taken(progress)
    with Draft(folder) as draft:
        while position < len(ids):
            try:
                draft.add(ids[position])
            except DocumentGone:
                # Deleted when its time was over, since it was chosen.
                progress.result = {**progress.result, GONE: progress.result.get(GONE, 0) + 1}
            position += 1
            with transaction():
                progress.step(1, str(position))
            if time.monotonic() >= ends:
                break
        is_whole = position == len(ids)
        finished = draft.finish(Made(progress.actor, utcnow())) if is_whole else None
    if finished is None:
        folder.rename(folder.with_name(_DRAFT))
        return True
    with transaction():
        # Whoever has lost the job meanwhile puts nothing in its place.
        progress.step(0, str(position))
    finished.replace(packs.path_of(progress.job_id))
    shutil.rmtree(folder.parent)
    packs.remove_earlier(progress.job_id)
    return False


def _taken(progress: Progress) -> tuple[Path, int]:
    """The draft, taken from where the slice before laid it, and how many documents it has; else a new one."""
    home = packs.folder() / progress.job_id
    home.mkdir(parents=True, exist_ok=True)
    mine = home / progress.token
    if progress.cursor is not None:
        try:
            (home / _DRAFT).rename(mine)
            return mine, int(progress.cursor)
        except FileNotFoundError:
            _begin_anew(progress, home)
    mine.mkdir()
    return mine, 0


def _begin_anew(progress: Progress, home: Path) -> None:
    beginnings = int(progress.result.get("beginnings", 1)) + 1
    if beginnings > _MOST_BEGINNINGS:
        shutil.rmtree(home, ignore_errors=True)
        raise ServiceError(_STOPS)
    progress.result, progress.done = {"beginnings": beginnings}, 0
    with transaction():
        progress.step(0, None)
    for left in home.iterdir():
        shutil.rmtree(left, ignore_errors=True)
