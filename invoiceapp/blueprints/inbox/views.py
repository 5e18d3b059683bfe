"""The inbox of the signed-in person, newest first, and the bell of every page."""

from __future__ import annotations

import logging

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from invoiceapp.blueprints.main.way_back import is_here
from invoiceapp.blueprints.policy import policy
from invoiceapp.formatting import number
from invoiceapp.models import Notice, NoticeKind
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.notifications import inbox
from invoiceapp.services.people import access

log = logging.getLogger(__name__)
blueprint = Blueprint("inbox", __name__, url_prefix="/inbox")
#: Icon and colour of what a notice tells.
_LOOKS = {
    NoticeKind.OPENED: ("alert-triangle", "orange"), NoticeKind.GROWN: ("alert-triangle", "orange"),
    NoticeKind.ESCALATED: ("users", "red"), NoticeKind.RESOLVED: ("circle-check", "green"),
    NoticeKind.ARRIVED: ("checks", "green"), NoticeKind.FINISHED: ("history", "azure"),
    NoticeKind.MAIL: ("alert-circle", "red"),
}  # fmt: skip


def _me() -> tuple[str, str]:
    return access.subscription().id, str(current_user.id)


@blueprint.app_template_global()
def bell() -> dict[str, str] | None:
    """For the shell: ``label``, what a screen reader says, and ``shown``, the figure. None for visitors.

    Where the database does not answer the page, most likely about an error, is shown without it.
    """
    if not current_user.is_authenticated:
        return None
    try:
        unread = inbox.unread(*_me(), access.only_of())
    except ServiceError:
        return None
    except SQLAlchemyError as error:
        log.warning("unread notices could not be counted: %s", type(error).__name__)
        return None
    if not unread:
        return {"label": _("No unread messages"), "shown": ""}
    if unread >= inbox.MOST_COUNTED:
        most = number(inbox.MOST_COUNTED - 1)
        return {"label": _("More than %(count)s unread messages", count=most), "shown": f"{most}+"}
    return {"label": ngettext("%(num)s unread message", "%(num)s unread messages", unread), "shown": number(unread)}


def _own(notice_id: str) -> Notice:
    row = inbox.notice(*_me(), notice_id)
    seen = access.only_of()
    if row is None or (seen is not None and row.adaptor_id is not None and row.adaptor_id not in seen):
        abort(404)
    return row


def _back() -> Response:
    """To the list as it was shown."""
    return redirect(url_for(".index", show=request.form.get("show") or None), 303)


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """What is unread; with ``?show=all`` everything."""
    everything, before = request.args.get("show") == "all", request.args.get("before", "")
    rows, older = inbox.page(*_me(), before=before, only_unread=not everything, only_of=access.only_of())
    return render_template(
        "inbox/page.html", rows=rows, older=older, before=before, show="all" if everything else "",
        looks=_LOOKS, unread=inbox.unread(*_me(), access.only_of()), most=inbox.MOST_COUNTED,
        adaptors={one.id: one.name for one in access.adaptors()},
    )  # fmt: skip


@blueprint.post("/<notice_id>/open")
@policy("subscription:view")
def open_notice(notice_id: str) -> Response:
    """Mark it as read, and go where it leads."""
    row = _own(notice_id)
    path = row.path
    inbox.mark(*_me(), [notice_id], is_read=True)
    return redirect(path if is_here(path) else url_for("main.dashboard"), 303)


@blueprint.post("/<notice_id>/mark")
@policy("subscription:view")
def mark(notice_id: str) -> Response:
    """As read, or with ``unread`` as unread again."""
    _own(notice_id)
    inbox.mark(*_me(), [notice_id], is_read="unread" not in request.form)
    return _back()


@blueprint.post("/read")
@policy("subscription:view")
def mark_all() -> Response:
    """Mark as read what was there when the page was made, and nothing that came since."""
    count = inbox.mark_all_read(*_me(), request.form.get("up_to", ""))
    flash(ngettext("%(num)s message is marked as read.", "%(num)s messages are marked as read.", count), "success")
    return _back()
