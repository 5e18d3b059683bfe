"""Find documents: by number, by customer, by date. The source is read in the background; the run's page shows what it finds."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from sqlalchemy import select
from werkzeug.wrappers import Response

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.htmx import is_htmx
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Customer, db
from invoiceapp.services.configuration import customers
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import run_queue, runs
from invoiceapp.services.export.validators import today
from invoiceapp.services.people.access import NotYours, actor

from .blueprint import blueprint
from .forms import CustomerForm, DateForm, NumbersForm
from .numbers import parse_numbers

_FORMS: dict[str, type[FlaskForm]] = {"numbers": NumbersForm, "customer": CustomerForm, "date": DateForm}


def _way() -> str:
    """How documents are found: ``numbers``, ``customer`` or ``date``."""
    wanted = request.args.get("by", "")
    return wanted if wanted in _FORMS else "date"


def _wanted() -> customers.Filter:
    return customers.Filter.read({"q": request.args.get("q", "")})


def _customers(adaptor: Adaptor) -> dict[str, Any]:
    """All customers, activated or not, a page at a time."""
    wanted, args = _wanted(), request.args
    page = customers.page(adaptor.id, wanted, after=args.get("after", ""), before=args.get("before", ""))
    return {"q": wanted.text, "page": page}


def periods(now: date) -> list[tuple[str, date, date]]:
    """Quick choices: words, first and last day."""
    monday, first = now - timedelta(days=now.weekday()), now.replace(day=1)
    last_month = first - timedelta(days=1)
    return [
        (_("Today"), now, now),
        (_("Yesterday"), now - timedelta(days=1), now - timedelta(days=1)),
        (_("This week"), monday, now),
        (_("Last week"), monday - timedelta(days=7), monday - timedelta(days=1)),
        (_("This month"), first, now),
        (_("Last month"), last_month.replace(day=1), last_month),
        (_("This year"), now.replace(month=1, day=1), now),
    ]


def _render(adaptor: Adaptor | None, form: FlaskForm, *, status: int = 200, **context: Any) -> Response:
    way = _way()
    if adaptor and way == "customer":
        context |= _customers(adaptor)
    fragment = way == "customer" and is_htmx()
    template = "export/_customers.html" if fragment else "export/page.html"
    values = {
        "adaptor": adaptor,
        "way": way,
        "form": form,
        "has_errors": bool(form.errors),
        "periods": periods(today()),
        "error": None,
        "active_run": None,
    }
    return make_response(render_template(template, **(values | context)), status)


@blueprint.get("")
@policy("adaptor:operate")
def index() -> Response:
    """The three ways, one at a time; an address may name a period."""
    form = _FORMS[_way()](formdata=request.args if "first_date" in request.args else None)
    return _render(chosen_adaptor(), form)


def _chosen(form: FlaskForm, adaptor: Adaptor) -> dict[str, Any]:
    """Arguments of ``runs.find`` out of a valid form."""
    if isinstance(form, NumbersForm):
        found = parse_numbers(form.numbers.data)
        return {"numbers": found.understood, "not_understood": found.not_understood}
    period = {"first_date": form.first_date.data, "last_date": form.last_date.data}
    if not isinstance(form, CustomerForm):
        return period
    if not form.everything.data:
        return {**period, "customer_ids": [one for one in form.customers.data if customers.is_id(one)] or ["none"]}
    matching = customers.matching(adaptor.id, _wanted()).with_only_columns(Customer.id)
    return {**period, "customer_ids": db.session.scalars(select(matching.subquery().c.id)).all() or ["none"]}


@blueprint.post("")
@policy("adaptor:operate")
def start() -> Response:
    """Start the reading and go to its page, which shows what it finds."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        raise NotYours
    # Without files: a file sent under a field's name is not text.
    form = _FORMS[_way()](formdata=request.form)
    if not form.validate():
        return _render(adaptor, form, status=422)
    try:
        run = runs.find(adaptor.id, actor(), **_chosen(form, adaptor))
    except Conflict as error:
        return _render(adaptor, form, status=409, error=say(error.text), active_run=run_queue.active(adaptor.id))
    except ServiceError as error:
        return _render(adaptor, form, status=422, error=say(error.text))
    return redirect(url_for("runs.show", run_id=run.id), 303)
