"""What a run of the list was for, how it ended, and what became of what was read: only figures that mean something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from invoiceapp.formatting import number
from invoiceapp.models import FoundOutcome, Run, RunState
from invoiceapp.services.daily import manual_runs
from invoiceapp.services.export import found


@dataclass(frozen=True, slots=True)
class Line:
    """One run as the list shows it."""

    run: Run
    kind: str
    figures: str
    """Parts of what was read; they add up to it. ``besides`` does not count among them"""
    besides: str = ""
    ended: tuple[str, str, str] | None = None
    """Words, colour and icon of how a manual export ended; None where the run's own state says it"""


def _joined(*parts: tuple[int, str]) -> str:
    return " · ".join(words for count, words in parts if count)


def _of_run(run: Run) -> Line:
    if run.only_reads:
        return Line(run, _("Reading only"), _("%(count)s only read", count=number(run.read)) if run.read else "")
    left_out = max(run.read - run.queued - run.not_activated - run.already_exported, 0)
    # What the settings leave out was read, and is named by its document.
    unread = sum(1 for one in run.problems if not one.get("document") and one.get("id") != "…")
    figures = _joined(
        (run.queued, _("%(count)s to be exported", count=number(run.queued))),
        (run.not_activated, _("%(count)s not activated or too old", count=number(run.not_activated))),
        (run.already_exported, _("%(count)s exported before", count=number(run.already_exported))),
        (left_out, _("%(count)s left out or on their way already", count=number(left_out))),
    )
    return Line(
        run, _("Run with export"), figures, _joined((unread, _("besides, %(count)s not read", count=number(unread))))
    )


def _of_finding(run: Run, outcomes: Counter[str]) -> Line:
    chosen, besides = outcomes.total(), _joined((run.skipped, _("besides, %(count)s not found", count=number(run.skipped))))  # fmt: skip
    if not chosen:
        nothing = (_("Nothing chosen"), "secondary", "search") if run.state is RunState.FINISHED else None
        return Line(run, _("Search only"), _("nothing chosen") if run.read else "", besides, nothing)
    others = max(run.read - chosen, 0)
    figures = _joined(
        (chosen, _("%(count)s chosen", count=number(chosen))),
        (others, _("%(count)s not chosen", count=number(others))),
    )
    return Line(run, _("Manual export"), figures, besides, _ended(outcomes))


def _ended(outcomes: Counter[str]) -> tuple[str, str, str]:
    taken_back = outcomes[FoundOutcome.TAKEN_BACK]
    if outcomes[manual_runs.WAITING]:
        return _("Under way"), "azure", "loader-2"
    if taken_back == outcomes.total():
        return _("Cancelled"), "secondary", "ban"
    if taken_back:
        return _("The rest was cancelled"), "secondary", "ban"
    if outcomes[FoundOutcome.LEFT_OUT] == outcomes.total():
        return _("Nothing was sent"), "orange", "ban"
    return _("Finished"), "green", "check"


def lines(runs: Sequence[Run]) -> list[Line]:
    """The runs in their order."""
    outcomes = manual_runs.outcomes([run.id for run in runs if found.is_finding(run) and run.queued])
    return [
        _of_finding(run, outcomes.get(run.id, Counter())) if found.is_finding(run) else _of_run(run) for run in runs
    ]
