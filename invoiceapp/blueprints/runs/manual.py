"""The page of a manual export: what is being read, what was found, and what becomes of what was chosen."""

from __future__ import annotations

from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from invoiceapp.blueprints.export.numbers import is_reversed
from invoiceapp.blueprints.problems.words import cause
from invoiceapp.domain.delivery import ARRIVED, DeliveryState
from invoiceapp.formatting import number, state_look
from invoiceapp.htmx import STOP_POLLING, hx_redirect, hx_response
from invoiceapp.languages import say
from invoiceapp.models import ACTIVE_RUNS, FoundGroup, Job, JobState, Run
from invoiceapp.services import background
from invoiceapp.services.daily import finding, listing, manual_runs
from invoiceapp.services.daily.finding import Choice
from invoiceapp.services.export import queries
from invoiceapp.services.people.access import actor, may_configure

#: Rows of each group where all are shown; of one group alone, a whole page.
_FEW = 15
#: What a poll waits for: after the first three the whole page has changed.
READING, TRYING, HANDING_OVER, MOVING = "reading", "trying", "exporting", "moving"
_RECEIVED = (DeliveryState.DELIVERED, DeliveryState.ACKNOWLEDGED)


def _phase(run: Run, job: Job | None, standing: finding.Standing, *, is_looked_at: bool) -> str:
    if run.state in ACTIVE_RUNS:
        return READING
    if job is not None:
        return TRYING if job.kind == finding.DRY_RUN else HANDING_OVER
    return MOVING if standing.moving or is_looked_at else ""


def _of(standing: finding.Standing, *names: str) -> int:
    return sum(standing.figures.get(name, 0) for name in names)


def _steps(standing: finding.Standing) -> list[tuple[str, int]]:
    """How far the chosen ones have come. What was only handed over is not received."""
    return [
        (_("Found"), standing.found), (_("Chosen"), standing.chosen), (_("Converted"), standing.converted),
        (_("Sent"), standing.sent), (_("Received"), _of(standing, *_RECEIVED)),
    ]  # fmt: skip


def _sentence(standing: finding.Standing, stopped: int) -> str:
    """Where all the chosen ones are, in words that add up."""
    arrived, left_out, taken_back = _of(standing, *ARRIVED), _of(standing, "left_out"), _of(standing, "taken_back")
    counts = [
        (arrived, _("%(count)s sent", count=number(arrived))),
        (stopped, ngettext("%(shown)s needs somebody to act", "%(shown)s need somebody to act", stopped, shown=number(stopped))),
        (standing.moving, _("%(count)s on the way", count=number(standing.moving))),
        (left_out, _("%(count)s left out", count=number(left_out))),
        (taken_back, _("%(count)s taken back before it was sent", count=number(taken_back))),
    ]  # fmt: skip
    others = standing.chosen - sum(count for count, _words in counts)
    counts.append((others, _("%(count)s ended otherwise", count=number(others))))
    return ", ".join(words for count, words in counts if count)


def _figures(standing: finding.Standing) -> list[dict[str, Any]]:
    """Where the chosen documents are: words and numbers that add up to what was chosen."""
    own = {
        finding.WAITING: (_("Waits its turn"), "clock", None),
        "left_out": (_("Left out"), "ban", "warning"),
        "taken_back": (_("Taken back"), "replace", None),
    }
    tones = {"blocked": "danger", "failed": "danger", "rejected": "danger", "outcome_unknown": "danger", "unusable": "danger"}  # fmt: skip
    found = []
    for name, count in sorted(standing.figures.items(), key=lambda item: _ORDER.index(item[0])):
        look = state_look(name)
        label, icon, tone = own.get(name) or (look.label, look.icon, tones.get(name))
        tone = "success" if name in ("delivered", "acknowledged", "accepted") else tone
        found.append({"name": name, "label": label, "icon": icon, "tone": tone, "count": count})
    return found


_ORDER = (
    finding.WAITING, "queued", "pending", "accepted", "delivered", "acknowledged", "blocked", "failed", "rejected",
    "outcome_unknown", "unusable", "skipped", "handled", "listed", "converted", "cancelled", "left_out", "taken_back",
)  # fmt: skip


def _place() -> dict[str, Any]:
    """What of the page is shown, out of the address."""
    show, group = request.args.get("show", ""), request.args.get("group", "")
    return {
        "show": show if finding.is_figure(show) else None,
        "chosen": request.args.get("chosen") or None,
        "group": group if group in set(FoundGroup) else None,
        "after": request.args.get("after") or None,
    }


def _what_happens(run: Run) -> dict[str, Any]:
    """What the poll shows."""
    standing = finding.standing(run.id)
    job = finding.job_of(run.id, run.adaptor_id)
    last = finding.last_export(run.id, run.adaptor_id)
    place = _place()
    waits, stopped = _of(standing, finding.WAITING), _of(standing, *listing.GROUPS["person"])
    is_looked_at = bool(stopped) and manual_runs.is_looked_at(run.id)
    phase = _phase(run, job, standing, is_looked_at=is_looked_at)
    chosen = finding.chosen(run.id, place["show"] or "", place["chosen"] or "") if standing.chosen else None
    return {
        "run": run,
        "say": say,
        "cause": cause,
        "job": job,
        "phase": phase,
        "standing": standing,
        "steps": _steps(standing),
        "sentence": _sentence(standing, stopped),
        "tried": standing.settled - _of(standing, "taken_back"),
        "to_try": standing.chosen - _of(standing, "taken_back"),
        "stopped_count": stopped,
        "causes": manual_runs.causes(run.id) if stopped else [],
        "is_looked_at": is_looked_at,
        "figures": _figures(standing),
        "show": place["show"] or "",
        "chosen": chosen,
        "problem_of": manual_runs.problems_of([one.row.document.id for one in chosen.rows]) if chosen and stopped else {},
        "stopped": bool(waits) and job is None,
        "stopped_by": last.error if last and last.state is JobState.FAILED else None,
        "format_label": queries.format_label,
        "live_url": url_for(".live", run_id=run.id, **(place | {"for": phase})),
    }  # fmt: skip


def _tried_by_me(run: Run) -> Job | None:
    """My last dry run, while nothing was exported since: what I chose for it stays chosen."""
    job, last = background.latest(run.adaptor_id, finding.DRY_RUN), finding.last_export(run.id, run.adaptor_id)
    if job is None or job.parameters["run"] != run.id or job.actor != actor():
        return None
    return None if last is not None and last.id > job.id else job


def _kept(job: Job | None) -> Choice | None:
    if job is None:
        return None
    asked = job.parameters
    return Choice(FoundGroup(asked["group"]), tuple(asked["ids"]), asked["everything"])


def page(run: Run) -> dict[str, Any]:
    """Everything on the page: three groups, or one of them alone (``?group=``)."""
    context = _what_happens(run)
    alone = _place()["group"] or ""
    wanted = [FoundGroup(alone)] if alone else list(FoundGroup)
    size, after = (finding.PAGE, request.args.get("after", "")) if alone else (_FEW, "")
    is_read = context["phase"] != READING
    sums = finding.groups(run.id)
    job = _tried_by_me(run)
    return context | {
        "dry_run": job,
        "kept": _kept(job),
        "tried_of": manual_runs.tried(run.id),
        "is_busy": context["phase"] == HANDING_OVER,
        "groups": sums,
        "alone": alone,
        "listed": {
            one: finding.of_group(run.id, one, after, size) for one in wanted if is_read and sums[one].documents
        },
        "may_configure": may_configure,
        "not_understood": run.query.get("not_understood", []),
        "is_reversed": is_reversed,
    }


def live(run: Run) -> Response:
    """What happens, for the poll. Once reading, trying or handing over is over, the browser fetches the page anew."""
    context = _what_happens(run)
    waited_for = request.args.get("for", "")
    if waited_for in (READING, TRYING, HANDING_OVER) and context["phase"] != waited_for:
        return hx_redirect(url_for(".show", run_id=run.id, **_place()))
    content = render_template("runs/_manual_live.html", **context)
    return hx_response(content, 200 if context["phase"] else STOP_POLLING)
