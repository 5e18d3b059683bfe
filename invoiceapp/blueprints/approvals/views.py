"""What waits for a second person, and the settings of four eyes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.declared import grouped, raw_values, typed_values
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.four_eyes import Rules
from invoiceapp.formatting import amount
from invoiceapp.languages import say
from invoiceapp.models import Approval, ApprovalState
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.four_eyes import approvals
from invoiceapp.services.four_eyes import setting as four_eyes_setting
from invoiceapp.services.four_eyes import words as approval_words
from invoiceapp.services.people import access

blueprint = Blueprint("approvals", __name__, url_prefix="/approvals")

#: Pages of the history that an address may ask for.
_LAST_PAGE, _DIGITS = 10_000, 6
#: What a button of the list asks for.
_DECIDE: Mapping[str, Callable[[Sequence[str], str], approvals.Outcome]] = {
    "approve": lambda ids, note: approvals.approve(ids, access.membership(), note),
    "refuse": lambda ids, note: approvals.refuse(ids, access.membership(), note),
    "take-up": lambda ids, note: approvals.take_up(ids, access.membership()),
    "withdraw": lambda ids, note: approvals.withdraw(ids, access.membership(), note),
}


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """What waits, and what was decided."""
    return _page()


def _page(**typed: Any) -> str:
    adaptors, me, kept = access.adaptors(), access.membership(), access.subscription().four_eyes
    deciding = {adaptor.id for adaptor in adaptors if approvals.may_decide(adaptor, me)}
    waiting = approvals.waiting(adaptors)
    shown = {"error": "", "note": "", "chosen": frozenset()} | typed
    adaptor_ids, page = [adaptor.id for adaptor in adaptors], _history_page()
    decided, has_more = approvals.decided(adaptor_ids, page)
    in_use, in_use_count = approvals.in_use(adaptor_ids)
    return render_template(
        "approvals/page.html", waiting=waiting, decided=decided, has_more=has_more, page=page,
        in_use=in_use, in_use_count=in_use_count, moment=datetime.fromisoformat,
        names={one.id: one.name for one in adaptors} if len(adaptors) > 1 else {}, deciding=deciding, me=me,
        title_of=approval_words.title, money_of=lambda kept: approval_words.money(Decimal(kept)), states=ApprovalState, rules=Rules.of(kept), **shown,
        wish=four_eyes_setting.Wish.of(kept), changes=four_eyes_setting.changes, may_decide_settings=access.is_administrator(),
        most=approvals.SHOWN, has_refused=any(one.row.state is ApprovalState.REFUSED for one in waiting),
    )  # fmt: skip


def _history_page() -> int:
    asked = request.args.get("page", "")
    return min(max(int(asked), 1), _LAST_PAGE) if asked.isdecimal() and len(asked) < _DIGITS else 1


@blueprint.post("")
@policy("subscription:view", fresh=True)
def decide() -> ResponseReturnValue:
    """Approve, refuse, take up again or withdraw what was chosen; who may is the service's to say."""
    ids = [access.scoped(Approval, one).id for one in request.form.getlist("ids")]
    verdict, note = request.form.get("verdict", ""), request.form.get("note", "")
    typed = {"note": note, "chosen": frozenset(ids)}
    if verdict not in _DECIDE or not ids:
        return _page(error=_("Choose what you decide on."), **typed), 422
    try:
        outcome = _DECIDE[verdict](ids, note)
    except approvals.NoRight as error:
        return _page(error=say(error.text), **typed), 403
    except Conflict as error:
        return _page(error=say(error.text), **typed), 409
    except ServiceError as error:
        return _page(error=say(error.text), **typed), 422
    flash(_told(verdict, outcome), "success")
    return redirect(url_for(".index"), 303)


def _told(verdict: str, outcome: approvals.Outcome) -> str:
    if verdict == "approve" and outcome.released:
        text: str = ngettext(
            "Approved. %(num)s document is on its way.",
            "Approved. %(num)s documents are on their way.",
            outcome.released,
        )
        return text
    words = {
        "approve": _("Approved."),
        "refuse": _("Refused. The documents stay."),
        "take-up": _("Taken up again. It waits for a decision."),
        "withdraw": _("Withdrawn. What has not been sent waits for a new approval."),
    }
    return str(words[verdict])


@blueprint.get("/settings")
@policy("subscription:own", fresh=True)
def settings() -> str:
    """What waits for a second person."""
    values = four_eyes_setting.values_of(access.subscription())
    if isinstance(values["ceiling"], Decimal):
        values["ceiling"] = amount(values["ceiling"])
    return _settings(values)


def _settings(values: Mapping[str, Any], errors: Mapping[str, Any] | None = None) -> str:
    adaptors = access.adaptors()
    deciding = approvals.approvers(adaptors)
    people = {adaptor: deciding[adaptor.id] for adaptor in adaptors}
    return render_template(
        "approvals/settings.html", fields=four_eyes_setting.FIELDS, groups=grouped(four_eyes_setting.FIELDS), values=values,
        errors=errors or {}, people=people,
    )  # fmt: skip


@blueprint.post("/settings")
@policy("subscription:own", fresh=True)
def save_settings() -> ResponseReturnValue:
    """Keep all of the form or nothing."""
    raw = raw_values(four_eyes_setting.FIELDS, request.form)
    try:
        found = four_eyes_setting.save(access.subscription().id, raw, access.membership())
    except InvalidInput as error:
        return _settings(typed_values(four_eyes_setting.FIELDS, raw), error.errors), 422
    if found.waits:
        flash(_("Nothing is changed yet: it takes effect when another owner or administrator approves it."), "info")
        return redirect(url_for(".index"), 303)
    flash(_saved(found.released), "success")
    _tell_of_baseline(found)
    return redirect(url_for(".index"), 303)


@blueprint.post("/settings/wish")
@policy("subscription:admin", fresh=True)
def decide_settings() -> ResponseReturnValue:
    """Approve or refuse that less waits for a second person."""
    is_approved = request.form.get("verdict") == "approve"
    try:
        found = four_eyes_setting.decide(
            access.subscription().id, access.membership(), request.form.get("at", ""), is_approved=is_approved
        )
    except Conflict as error:
        return _page(error=say(error.text)), 409
    except ServiceError as error:
        return _page(error=say(error.text)), 422
    flash(_saved(found.released) if is_approved else _("Refused. The settings stay as they are."), "success")
    _tell_of_baseline(found)
    return redirect(url_for(".index"), 303)


def _saved(released: int) -> str:
    if not released:
        return str(_("Saved."))
    text = ngettext(
        "Saved. %(num)s document that waited for a second person is on its way.",
        "Saved. %(num)s documents that waited for a second person are on their way.",
        released,
    )
    return str(text)


def _tell_of_baseline(found: four_eyes_setting.Saved) -> None:
    if found.baseline:
        flash(
            ngettext(
                "%(num)s value that is in use counts as approved.", "%(num)s values that are in use count as approved.",
                found.baseline,
            ),
            "info",
        )  # fmt: skip
