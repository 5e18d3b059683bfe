"""The proofs of an adaptor, and each of them with its groups, its rows and its files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.domain.findings import Text
from invoiceapp.formatting import language
from invoiceapp.htmx import STOP_POLLING, hx_response
from invoiceapp.models import Adaptor, Job, MonthEndProof, ProofState
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export import archive, standing
from invoiceapp.services.export.validators import today
from invoiceapp.services.people import access
from invoiceapp.services.proof import signing
from invoiceapp.services.proof.month_end import making, queries, verifying

from . import words

blueprint = Blueprint("proof", __name__, url_prefix="/proof")
_FILES = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8", "p7s": "application/pkcs7-signature"}


def _months() -> list[tuple[str, date, date]]:
    """The last month and this one, with their first and last days."""
    this = today().replace(day=1)
    end = this - timedelta(days=1)
    following = (this + timedelta(days=31)).replace(day=1)
    return [(_("Last month"), end.replace(day=1), end), (_("This month"), this, following - timedelta(days=1))]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _index(adaptor: Adaptor, typed: Mapping[str, str], errors: Mapping[str, Text] | None = None) -> str:
    proofs, months = queries.of_adaptor(adaptor.id), _months()
    jobs = queries.jobs_of(proofs)
    _name, first, last = months[0]
    return render_template(
        "proof/page.html",
        adaptor=adaptor, company=adaptor.organization or {}, months=months, errors=errors or {}, has_errors=bool(errors),
        typed={"from": typed.get("from", first.isoformat()), "to": typed.get("to", last.isoformat())},
        summary=[(f"proof-{name}", text) for name, text in (errors or {}).items()],
        proofs=[(one, queries.is_given_up(one, jobs.get(one.id))) for one in proofs],
        is_working=standing.is_working(adaptor),
    )  # fmt: skip


@blueprint.get("")
@policy("adaptor:view")
def index() -> ResponseReturnValue:
    """The proofs of an adaptor, and the form for a new one; the catalogue where nothing is activated yet."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        return redirect(url_for("adaptors.catalogue"))
    return _index(adaptor, request.args)


@blueprint.post("/<adaptor_id>/make")
@policy("adaptor:operate")
def make(adaptor_id: str) -> ResponseReturnValue:
    """Make one of the days that were chosen, in the background."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    first, last = _day(request.form.get("from", "")), _day(request.form.get("to", ""))
    try:
        proof_id = making.ask(adaptor, first, last, actor=access.actor(), language=language())
    except InvalidInput as error:
        return _index(adaptor, request.form, error.errors), 422
    except ServiceError as error:
        # One is being made, or the adaptor is at rest.
        return _index(access.scoped(Adaptor, adaptor_id), request.form, {"from": error.text}), 409
    return redirect(url_for(".show", proof_id=proof_id), 303)


def _proof(proof_id: str) -> tuple[MonthEndProof, Job | None]:
    proof = access.scoped(MonthEndProof, proof_id)
    return proof, queries.jobs_of([proof]).get(proof.id)


def _context(proof: MonthEndProof, job: Job | None) -> dict[str, Any]:
    """Of a proof that is made, its result; ``failed`` where that cannot be read."""
    is_finished = proof.state is ProofState.FINISHED
    shown: dict[str, Any] = {}
    failed: Text | None = None
    if is_finished:
        try:
            shown = words.shown(queries.result(proof), request.args.get("group", ""))
            shown["certificate"] = signing.fingerprint()
        except ServiceError as error:
            failed = error.text
    given_up = queries.is_given_up(proof, job)
    return {
        "proof": proof, "job": job, "is_finished": is_finished, "given_up": given_up, "failed": failed,
        "is_moving": not is_finished and not given_up, "verdict": None, "is_too_large": False,
        "group_name": words.group_name, **shown,
    }  # fmt: skip


@blueprint.get("/<proof_id>")
@policy("adaptor:view")
def show(proof_id: str) -> str:
    """How far it is, or what it says."""
    return render_template("proof/show.html", **_context(*_proof(proof_id)))


@blueprint.get("/<proof_id>/live")
@policy("adaptor:view")
def live(proof_id: str) -> Response:
    """The same, for the poll."""
    context = _context(*_proof(proof_id))
    return hx_response(render_template("proof/_proof.html", **context), 200 if context["is_moving"] else STOP_POLLING)


@blueprint.get("/<proof_id>/again")
@policy("adaptor:view")
def again(proof_id: str) -> ResponseReturnValue:
    """Reckon it again from what was stored and the history; nothing is written."""
    proof, job = _proof(proof_id)
    context = _context(proof, job)
    if proof.summary.get("documents", 0) > verifying.MOST_AT_ONCE:
        context["is_too_large"] = True
        return render_template("proof/show.html", **context)
    try:
        context["verdict"] = verifying.again(proof)
    except ServiceError as error:
        context["failed"] = error.text
    return render_template("proof/show.html", **context)


@blueprint.get("/<proof_id>/file.<any(csv, p7s, pdf):ending>")
@policy("adaptor:view")
def file(proof_id: str, ending: str) -> Response:
    """One of its files, as it was signed."""
    proof, _job = _proof(proof_id)
    name = {"pdf": proof.pdf_sha256, "csv": proof.csv_sha256, "p7s": proof.signature_sha256}[ending]
    if name is None:
        abort(404)
    response = Response(archive.load(name), content_type=_FILES[ending])
    title = "month-end-proof" if proof.language == "en" else "maanedsbevis"
    # The signature has the whole name of what it signs, as programs look for it.
    suffix = "csv.p7s" if ending == "p7s" else ending
    filename = f"{title}-{proof.first_day.isoformat()}-{proof.last_day.isoformat()}-{proof.id[-6:].lower()}.{suffix}"
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response
