"""Sensitive acts ask who it is once more, unless the person has just shown it."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from flask import flash, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_security.utils import check_and_update_authn_fresh

from invoiceapp import auditing
from invoiceapp.htmx import hx_redirect, is_htmx
from invoiceapp.models import utcnow

#: How long a sign-in, or showing it again, counts.
WITHIN = timedelta(minutes=15)
#: A form that somebody begins to fill in later than that may be too late when it is sent.
SOON = timedelta(minutes=10)


def ask_again() -> ResponseReturnValue | None:
    """None for somebody who has shown within ``WITHIN`` who they are; else the way to do so.

    A form is not carried out afterwards: the person comes back to the page that it stood on, and is told so.
    """
    if check_and_update_authn_fresh(WITHIN, timedelta(0), "session"):
        return None
    return to_verify()


def is_fresh() -> bool:
    """Whether there is time left to fill in a form."""
    return utcnow().timestamp() - float(session.get("fs_paa", 0)) < SOON.total_seconds()


def confirm_first_url() -> str | None:
    """For forms that ask again when they are sent, and would be lost: where to confirm it before, None where it is not needed."""
    from invoiceapp.blueprints.main.way_back import page_at_or_above

    return None if is_fresh() else url_for("security.verify", next=page_at_or_above(_here()))


def to_verify() -> ResponseReturnValue:
    """To the page that asks, and back here. Flask-Security calls it for its own pages."""
    is_page = request.method in ("GET", "HEAD") and not is_htmx()
    if request.method not in ("GET", "HEAD"):
        flash(_("Nothing was done yet. Confirm that it is you, and then do it again."), "warning")
        auditing.refused()
    return hx_redirect(url_for("security.verify", next=_here() if is_page else _page_before()))


def _here() -> str:
    return request.full_path if request.query_string else request.path


def _page_before() -> str:
    """The page of ours that the form stood on; browsers send its address within the same site."""
    # The package's pages declare policies, which ask for freshness.
    from invoiceapp.blueprints.main.way_back import page_at_or_above

    before = urlsplit(request.referrer or "")
    if before.netloc != request.host:
        return page_at_or_above(_here())
    return page_at_or_above(f"{before.path}?{before.query}" if before.query else before.path)
