"""Who changed which settings, and taking it back."""

from __future__ import annotations

from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Customer, SettingsChange, db
from invoiceapp.services.configuration import changes, saving
from invoiceapp.services.configuration.settings import SECTIONS, places, section_at
from invoiceapp.services.errors import Conflict
from invoiceapp.services.people import access

from .blueprint import blueprint
from .words import Words, describer


@dataclass(frozen=True, slots=True)
class Entry:
    """One save of the history."""

    change: SettingsChange
    customer: Customer | None
    words: list[Words]


def _entries(adaptor: Adaptor, found: list[SettingsChange]) -> list[Entry]:
    ids = {change.customer_id for change in found if change.customer_id}
    known = {row.id: row for row in db.session.scalars(select(Customer).where(Customer.id.in_(ids)))}
    describe = describer(adaptor)
    return [
        Entry(
            change, known.get(change.customer_id or ""), describe(changes.differences(change.before, change.after), change.customer_id is not None)
        )
        for change in found
    ]  # fmt: skip


@blueprint.get("/history")
@policy("adaptor:view")
def history() -> ResponseReturnValue:
    """All changes of an adaptor's settings, or those of one customer (``?customer=``), newest first."""
    customer_id = request.args.get("customer")
    customer = access.scoped(Customer, customer_id) if customer_id else None
    adaptor = access.scoped(Adaptor, customer.adaptor_id) if customer else chosen_adaptor()
    if adaptor is None:
        return redirect(url_for("adaptors.catalogue"))
    page = changes.of_adaptor(adaptor.id, customer_id, request.args.get("before", ""))
    return render_template(
        "settings/history.html", adaptor=adaptor, customer=customer, entries=_entries(adaptor, page.changes),
        older=page.older, is_first="before" not in request.args,
    )  # fmt: skip


@blueprint.post("/changes/<change_id>/undo")
@policy("adaptor:edit")
def undo(change_id: str) -> ResponseReturnValue:
    """Take a save back, and return to where it was made or to the history (``from=history``)."""
    change = access.scoped(SettingsChange, change_id)
    adaptor_id, customer_id = change.adaptor_id, change.customer_id
    sections = {section_at(found) for found in (*places(change.before), *places(change.after))}
    try:
        released = saving.undo(change_id, access.actor())
    except Conflict as error:
        flash(say(error.text), "error")
    else:
        text = _("Undone. The values are as they were before.")
        if released:
            text += " " + _("Documents that waited and are tried again: %(count)s.", count=released)
        flash(text, "success")
    return redirect(_way_back(adaptor_id, customer_id, sections), 303)


def _way_back(adaptor_id: str, customer_id: str | None, sections: set[str]) -> str:
    if request.form.get("from") == "history":
        return url_for(".history", adaptor=adaptor_id, customer=customer_id if "one" in request.form else None)
    section = next((name for name in SECTIONS if name in sections), None)
    if customer_id is not None:
        return url_for("rules.customer", customer_id=customer_id, group=section)
    return url_for(".index", adaptor=adaptor_id, group=section)
