"""Terms of keeping, what goes next, holds, the readable export, and "go" after a restore."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from babel.dates import get_month_names
from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.policy import ROLES, policy
from invoiceapp.domain.findings import Text
from invoiceapp.formatting import language, number
from invoiceapp.languages import say
from invoiceapp.models import HoldScope, LegalHold, Retention, db
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.keeping import holds, names, readable, resuming, retention, terms
from invoiceapp.services.keeping.readable import Choice
from invoiceapp.services.people import access
from invoiceapp.services.people.access import actor, scoped

blueprint = Blueprint("keeping", __name__, url_prefix="/keeping")
#: More than these take longer than somebody waits for a page.
MOST_DOCUMENTS = 5000


def _scopes() -> dict[str, str]:
    return {
        HoldScope.DOCUMENT.value: _("A document"), HoldScope.CUSTOMER.value: _("A customer"),
        HoldScope.ADAPTOR.value: _("An adaptor"), HoldScope.SUBSCRIPTION.value: _("Everything"),
    }  # fmt: skip


def _nouns() -> dict[str, str]:
    """Before a name."""
    return {
        HoldScope.DOCUMENT.value: _("Document"), HoldScope.CUSTOMER.value: _("Customer"),
        HoldScope.ADAPTOR.value: _("Adaptor"), HoldScope.SUBSCRIPTION.value: _("Everything"),
    }  # fmt: skip


def _months() -> dict[int, str]:
    return {month: name.capitalize() for month, name in get_month_names("wide", locale=language()).items()}


def _page(form: str = "", typed: Mapping[str, str] | None = None, errors: Mapping[str, Text] | None = None) -> str:
    """``typed`` and ``errors`` are those of ``form``: ``terms``, ``hold`` or ``records``."""
    subscription = access.subscription()
    chosen = terms.of(subscription.id)
    role, only_of = access.membership().role, access.only_of()
    row, plan = db.session.get(Retention, subscription.id), retention.plan(subscription, only_of)
    year_ends = ", ".join(_months()[month] for month in plan.last_months)
    return render_template(
        "keeping/page.html",
        plan=plan, year_ends=year_ends, chosen=chosen, last=row, sees_all=only_of is None, months=_months(), scopes=_scopes(),
        nouns=_nouns(),
        holds=[(one, holds.is_active(one)) for one in holds.of_subscription(subscription.id, only_of)],
        adaptors=access.adaptors(), waiting=resuming.waiting(subscription.id), most=MOST_DOCUMENTS,
        may_own=role in ROLES["own"], may_administer=role in ROLES["admin"], least=terms.LAWFUL_YEARS,
        form=form, typed=typed or {}, errors=errors or {}, has_errors=bool(errors),
        summary=[(f"{form}-{name}", text) for name, text in (errors or {}).items()],
    )  # fmt: skip


def _back() -> ResponseReturnValue:
    return redirect(url_for(".index"), 303)


@blueprint.get("")
@policy("subscription:audit")
def index() -> str:
    """Everything about keeping, of the subscription."""
    return _page()


@blueprint.post("/terms")
@policy("subscription:own", fresh=True)
def save_terms() -> ResponseReturnValue:
    """For how long, and when the financial year ends."""
    years, month = request.form.get("years", ""), request.form.get("last_month", "")
    try:
        terms.save(access.subscription().id, _whole(years), _whole(month) if month else None)
    except InvalidInput as error:
        return _page("terms", request.form, error.errors), 422
    flash(_("Saved."), "success")
    return _back()


def _whole(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() and len(text.strip()) < 5 else None


@blueprint.post("/holds")
@policy("subscription:admin", fresh=True)
def hold() -> ResponseReturnValue:
    """Keep something whatever its age."""
    typed: dict[str, Any] = {name: request.form.get(name, "") for name in ("scope", "what", "reason", "until")}
    try:
        placed = holds.place(access.subscription().id, **typed, actor=actor(), only_of=access.only_of())
    except InvalidInput as error:
        return _page("hold", typed, error.errors), 422
    text = ngettext(
        "It is kept until the hold is lifted or ends.",
        "All %(num)s that are called that are kept, each until its hold is lifted or ends.",
        len(placed),
    )
    flash(text, "success")
    return _back()


@blueprint.post("/holds/<hold_id>/lift")
@policy("subscription:own", fresh=True)
def lift(hold_id: str) -> ResponseReturnValue:
    """End a hold."""
    try:
        holds.lift(scoped(LegalHold, hold_id).id, actor())
        flash(_("The hold is lifted. What is old enough goes with the next deletion."), "success")
    except Conflict as error:
        flash(say(error.text), "warning")
    return _back()


@blueprint.post("/resume")
@policy("subscription:admin")
def resume() -> ResponseReturnValue:
    """After a restore: the schedules run again."""
    count = resuming.resume(access.subscription().id, actor())
    flash(ngettext("%(num)s schedule runs again.", "%(num)s schedules run again.", count), "success")
    return _back()


def _day(name: str, errors: dict[str, Text]) -> date | None:
    text = request.args.get(name, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        errors[name] = Text("Vælg en dag.", "Choose a day.")
        return None


@blueprint.get("/records")
@policy("subscription:audit")
def records() -> ResponseReturnValue:
    """The readable export as a zip."""
    errors: dict[str, Text] = {}
    subscription, chosen = access.subscription(), request.args.get("of", "")
    adaptor_id = chosen if chosen in {one.id for one in access.adaptors()} else None
    choice = Choice(subscription.id, adaptor_id, _day("from", errors), _day("to", errors), access.only_of())
    if chosen and adaptor_id is None:
        raise access.NotYours
    count = 0 if errors else readable.count(choice)
    if count > MOST_DOCUMENTS:
        errors["from"] = Text(
            f"Det er {number(count)} dokumenter. Vælg en kortere periode, eller bed den, der driver serveren, om at køre "
            "»flask export-records«.",
            f"These are {number(count)} documents. Choose a shorter period, or ask whoever runs the server to run "
            "“flask export-records”.",
        )
    if errors:
        return _page("records", request.args, errors), 422
    return _download(choice, names.safe(subscription.name))


def _download(choice: Choice, name: str) -> ResponseReturnValue:
    with tempfile.TemporaryDirectory(prefix="records-") as folder:
        path = Path(folder) / "records.zip"
        readable.write(path, choice)
        # Its name may go: an open file stays until it is closed, which the response does at its end.
        file, size = path.open("rb"), path.stat().st_size
    name = f"{name}-{date.today()}.zip"
    response = send_file(file, "application/zip", as_attachment=True, download_name=name, max_age=0)
    response.content_length = size
    return response
