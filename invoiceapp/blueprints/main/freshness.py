"""Whether a dashboard still shows how things are, told from a few rows: most polls need no more."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from sqlalchemy import func, select

from invoiceapp.formatting import language
from invoiceapp.models import Gateway, Problem, Run, Tally, db
from invoiceapp.services.daily.listing import View

from .scope import Scope

#: Seconds after which a page is made anew whatever happened: ages grow, and not everything that it shows is counted.
_OLDEST = 60


def version(scope: Scope, view: View, runs: Sequence[Run], paused: Sequence[Gateway]) -> str:
    """Changes when the page would. Ask before reading what the page shows: then it is never newer than that."""
    parts = (
        scope.ids,
        sorted(view.to_args().items()),
        language(),
        _moves(scope.ids),
        _problems(scope.ids),
        [(run.id, run.state.value, run.read, run.queued) for run in runs],
        [(row.id, row.paused_reason) for row in paused],
        [(one.active, one.source_error, bool(one.organization)) for one in scope.adaptors],
        int(time.time() // _OLDEST),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def _moves(adaptor_ids: Sequence[str]) -> tuple[object, ...]:
    """Every move adds a row, and folding rows makes new ones; the sum sees those that were committed late."""
    query = select(func.count(), func.max(Tally.id), func.sum(Tally.id)).where(Tally.adaptor_id.in_(adaptor_ids))
    return tuple(db.session.execute(query).one())


def _problems(adaptor_ids: Sequence[str]) -> tuple[object, ...]:
    query = select(func.count(), func.max(Problem.id), func.max(Problem.changed_at))
    return tuple(
        db.session.execute(query.where(Problem.adaptor_id.in_(adaptor_ids), Problem.resolved_at.is_(None))).one()
    )
