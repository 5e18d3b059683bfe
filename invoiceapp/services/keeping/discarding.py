"""Files of the archive that no document needs any more: noted with the deletion, removed afterwards."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import delete, select

from invoiceapp.models import DiscardedFile, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive

from . import named

#: What was stored or asked for again so lately may belong to a row that is not there yet.
_FRESH = timedelta(hours=1)


def note(names: Collection[str]) -> None:
    """Note files that may go. Inside the caller's transaction."""
    known = set(db.session.scalars(select(DiscardedFile.sha256).where(DiscardedFile.sha256.in_(names))))
    db.session.add_all(DiscardedFile(sha256=name) for name in sorted(set(names) - known))
    db.session.flush()


def remove(most: int) -> int:
    """Remove noted files that nothing refers to; how many notes were settled. Raises ``ArchiveUnavailable``."""
    with transaction() as session:
        query = select(DiscardedFile.sha256).order_by(DiscardedFile.sha256).limit(most)
        names = session.scalars(query).all()
        used = named.still(session.connection(), names) if names else set()
    # Not in the transaction, because the store may be far away. Two at once remove what is gone.
    old = utcnow() - _FRESH
    settled = [name for name in names if name in used or archive.remove(name, before=old)]
    with transaction() as session:
        session.execute(delete(DiscardedFile).where(DiscardedFile.sha256.in_(settled)))
    return len(settled)
