"""Whether this process can serve: its database answers and has what this code needs. Milliseconds; asked every few seconds."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache

from alembic.script import ScriptDirectory
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from invoiceapp.config import MIGRATIONS
from invoiceapp.current import config
from invoiceapp.services.database import reading

log = logging.getLogger(__name__)

#: Seconds that Redis has for its answer; without one we serve all the same.
_SOON = 1
OK = "ok"


#: What everybody may know of a part that is not well: no versions, no commands.
_PUBLIC = {
    "database": "does not answer", "migration": "is not at what this version needs",
    "redis": "does not answer: work is delayed, nothing is lost",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer, and how each part is; never an address or a secret."""

    parts: dict[str, str]
    """``database``, ``migration`` and ``redis``: ``ok``, or what is wrong, for whoever runs the installation"""

    @property
    def public(self) -> dict[str, str]:
        """The same for everybody."""
        return {part: OK if said == OK else _PUBLIC[part] for part, said in self.parts.items()}

    @property
    def is_ready(self) -> bool:
        """Whether requests may come. Without Redis they may: work is late, and nothing is lost."""
        return all(self.parts.get(part) == OK for part in ("database", "migration"))


def look() -> Readiness:
    """Ask the database and Redis."""
    try:
        with reading() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        log.warning("the database does not answer: %s", type(error).__name__)
        return Readiness({"database": _PUBLIC["database"], "redis": redis()})
    revision = migration()
    if revision != OK:
        log.warning("the database is not at what this version needs: %s", revision)
    return Readiness({"database": OK, "migration": revision, "redis": redis()})


def migration() -> str:
    """Whether the database has all that this code needs.

    During an upgrade old code runs beside new code on the new tables: a migration that this code does not know is newer.
    """
    try:
        with reading() as session:
            found = set(session.scalars(text("SELECT version_num FROM alembic_version")))
    except SQLAlchemyError:
        found = set()
    heads, known = _revisions()
    if not found:
        return "no tables: run flask db upgrade"
    if found == heads or found - known:
        return OK
    return f"at {', '.join(sorted(found))}, needs {', '.join(sorted(heads))}: run flask db upgrade"


@lru_cache(maxsize=1)
def _revisions() -> tuple[set[str], set[str]]:
    """Of this code: the newest, and all."""
    scripts = ScriptDirectory(str(MIGRATIONS))
    return set(scripts.get_heads()), {one.revision for one in scripts.walk_revisions()}


def redis() -> str:
    """Whether workers can be woken."""
    # A connection of its own: the usual ones wait longer than whoever asks this.
    connection = Redis.from_url(config().redis_url, socket_connect_timeout=_SOON, socket_timeout=_SOON)
    try:
        connection.ping()
    except RedisError as error:
        log.warning("Redis does not answer: %s", type(error).__name__)
        return _PUBLIC["redis"]
    finally:
        connection.close()
    return OK
