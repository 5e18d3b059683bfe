"""Choose documents and export them now."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from flask_security import auth_required
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.htmx import is_htmx
from invoiceapp.languages import say
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import customers
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import runs
from invoiceapp.services.people.access import NotYours

from .forms import CustomerForm, DateForm, NumbersForm
from .numbers import parse_numbers

blueprint = Blueprint("export", __name__, url_prefix="/export")

_FORMS: dict[str, type[FlaskForm]] = {"date": DateForm, "customer": CustomerForm, "numbers": NumbersForm}


def _way() -> str:
    """How documents are chosen: ``date``, ``customer`` or ``numbers``."""
    wanted = request.args.get("by", "")
    return wanted if wanted in _FORMS else "date"


def _customers(adaptor: Adaptor) -> dict[str, Any]:
    """Activated customers, a page at a time."""
    wanted = customers.Filter.read({"q": request.args.get("q", ""), "show": "active"})
    return {"q": wanted.text, "page": customers.page(adaptor.id, wanted, after=request.args.get("after", ""))}


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
        "active_customers": customers.counts(adaptor.id)["active"] if adaptor else 0,
        "error": None,
        "active_run": None,
    }
    return make_response(render_template(template, **(values | context)), status)


@blueprint.get("")
@auth_required("session")
def index() -> Response:
    """The three ways, one at a time."""
    return _render(chosen_adaptor(), _FORMS[_way()](formdata=None))


def _chosen(form: FlaskForm) -> dict[str, Any]:
    """Arguments of ``runs.start_manual`` out of a valid form."""
    if isinstance(form, NumbersForm):
        return {"numbers": parse_numbers(form.numbers.data)}
    period = {"first_date": form.first_date.data, "last_date": form.last_date.data}
    if isinstance(form, CustomerForm):
        return {**period, "customer_ids": form.customers.data}
    return period


@blueprint.post("")
@auth_required("session")
def start() -> Response:
    """Start the run and go to its progress."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        raise NotYours
    # Without files: a file sent under a field's name is not text.
    form = _FORMS[_way()](formdata=request.form)
    if not form.validate():
        return _render(adaptor, form, status=422)
    try:
        run = runs.start_manual(adaptor.id, current_user.email, **_chosen(form))
    except Conflict as error:
        return _render(adaptor, form, status=409, error=say(error.text), active_run=runs.active(adaptor.id))
    except ServiceError as error:
        return _render(adaptor, form, status=422, error=say(error.text))
    return redirect(url_for("runs.show", run_id=run.id), 303)
