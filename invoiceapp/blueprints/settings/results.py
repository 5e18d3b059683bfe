"""What a person is told after saving settings: with a way back, or that somebody else was first."""

from __future__ import annotations

from collections.abc import Sequence

from flask import flash, render_template
from flask_babel import gettext as _
from markupsafe import Markup

from invoiceapp.blueprints.declared import saved
from invoiceapp.blueprints.main.links import Link
from invoiceapp.htmx import is_htmx
from invoiceapp.services.configuration.saving import Saved


def tell_saved(done: Saved, links: Sequence[Link] = ()) -> None:
    """Flash what was done, with a button that takes it back; ``links`` follow what was released."""
    if done.change_id is None and not done.released:
        flash(_("Nothing was changed: these values were stored already."), "info")
        return
    text = saved(done.released)
    # The template escapes what it is given.
    flash(Markup(render_template("settings/_saved.html", text=text, change_id=done.change_id, links=links)), "success")  # noqa: S704 # nosec B704


def conflict_status() -> int:
    """409, but 422 for htmx, which swaps no other refusal into the page."""
    return 422 if is_htmx() else 409
