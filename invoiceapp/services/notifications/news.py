"""One thing to tell, before it is known to whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from invoiceapp.domain.findings import Text
from invoiceapp.models import NoticeKind

from . import words


@dataclass(frozen=True, slots=True)
class News:
    """What notices and webhooks are made of."""

    event: str
    """Same for everybody and for ever"""
    kind: NoticeKind
    level: str
    title: Text
    body: Text = words.EMPTY
    path: str = "/"
    positive: bool = False
    problem_id: str | None = None
    run_id: str | None = None
    figures: dict[str, int] = field(default_factory=dict)
