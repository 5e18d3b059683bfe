"""Certificates of a gateway: what is in use, what comes next, and giving and getting them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.file_names import safe_filename
from invoiceapp.languages import say
from invoiceapp.models import Gateway
from invoiceapp.services.configuration import certificates, gateways
from invoiceapp.services.configuration.certificate_files import LARGEST, pem
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.people.access import actor, scoped

from .blueprint import blueprint

blueprint.context_processor(lambda: {"certificate_sets": certificates.sets})

_ENCODINGS = {
    "cer": (Encoding.DER, "application/pkix-cert"),
    "pem": (Encoding.PEM, "application/x-pem-file"),
}


def _gateway(gateway_id: str) -> Gateway:
    """One that has certificates to exchange; 404 for all others."""
    gateway = scoped(Gateway, gateway_id)
    transport = gateways.kinds().get(gateway.kind)
    if transport is None or not (transport.key_pairs or transport.partner_certificates):
        abort(404)
    return gateway


@blueprint.get("/<gateway_id>/certificates")
@policy("gateway:edit")
def certificate_page(gateway_id: str) -> str:
    """All of them."""
    return _page(_gateway(gateway_id))


def _page(gateway: Gateway, **context: Any) -> str:
    shown: dict[str, Any] = {"failed": None} | context
    return render_template(
        "gateways/certificates.html", gateway=gateway, sets=certificates.sets(gateway),
        others=list(certificates.others(gateway)), version=gateways.version(gateway),
        has_errors=shown["failed"] is not None, **shown,
    )  # fmt: skip


def _back(gateway_id: str) -> ResponseReturnValue:
    return redirect(url_for(".certificate_page", gateway_id=gateway_id), 303)


def _choice() -> certificates.Choice:
    form = request.form
    return certificates.Choice(form.get("version", ""), form.get("switch_on", ""), bool(form.get("replace")))


def _content() -> bytes:
    """What was uploaded, else what was pasted; one byte more than the most where it is too much."""
    file = request.files.get("file")
    return (file.read(LARGEST + 1) if file else b"") or request.form.get("text", "").encode()


def _do(gateway_id: str, name: str, action: str, work: Callable[[], str]) -> ResponseReturnValue:
    """Do it and say so; where the form was wrong, show it again at its place."""
    _gateway(gateway_id)
    try:
        done = work()
    except certificates.NoSuchSet:
        abort(404)
    except InvalidInput as error:
        # A password that was typed is not among what is shown again.
        typed = {"switch_on": request.form.get("switch_on", ""), "replace": bool(request.form.get("replace"))}
        failed = {"name": name, "action": action, "errors": error.errors, "typed": typed}
        return _page(_gateway(gateway_id), failed=failed), 422
    except ServiceError as error:
        flash(say(error.text), "error")
    else:
        flash(done, "success")
    return _back(gateway_id)


@blueprint.post("/<gateway_id>/certificates/<name>/make")
@policy("gateway:manage", fresh=True)
def make_certificate(gateway_id: str, name: str) -> ResponseReturnValue:
    """A new pair of ours."""

    def work() -> str:
        certificates.make(gateway_id, name, _choice(), actor())
        return str(_("The certificate is made. Download it, and send it to the partner."))

    return _do(gateway_id, name, "make", work)


@blueprint.post("/<gateway_id>/certificates/<name>/import")
@policy("gateway:manage", fresh=True)
def import_certificate(gateway_id: str, name: str) -> ResponseReturnValue:
    """A pair of ours that was made elsewhere."""

    def work() -> str:
        password = request.form.get("password", "")
        left_out = certificates.import_pair(gateway_id, name, _content(), password, _choice(), actor())
        if left_out:
            text = ngettext(
                "The file had %(num)s other certificate, which was left out.",
                "The file had %(num)s other certificates, which were left out.",
                left_out,
            )
            flash(text, "info")
        return str(_("The certificate and its key are imported."))

    return _do(gateway_id, name, "import", work)


@blueprint.post("/<gateway_id>/certificates/<name>/upload")
@policy("gateway:manage", fresh=True)
def upload_certificate(gateway_id: str, name: str) -> ResponseReturnValue:
    """Show what the partner's file holds, for a person to compare. Nothing is kept yet."""
    gateway = _gateway(gateway_id)
    try:
        shown = certificates.preview_partners(gateway, name, _content())
    except certificates.NoSuchSet:
        abort(404)
    except InvalidInput as error:
        return _page(gateway, failed={"name": name, "action": "upload", "errors": error.errors, "typed": {}}), 422
    return _preview(gateway, name, shown)


def _preview(gateway: Gateway, name: str, shown: certificates.Shown, **context: Any) -> str:
    context = {"errors": {}, "typed": {}} | context
    assert shown.certificate is not None
    return render_template(
        "gateways/certificate_preview.html", gateway=gateway, set=certificates.find(gateway, name), shown=shown,
        text=pem(shown.certificate), version=request.form.get("version", ""), has_errors=bool(context["errors"]), **context,
    )  # fmt: skip


@blueprint.post("/<gateway_id>/certificates/<name>/keep")
@policy("gateway:manage", fresh=True)
def keep_certificate(gateway_id: str, name: str) -> ResponseReturnValue:
    """The partner's certificate, after its fingerprint was compared."""
    _gateway(gateway_id)
    content = request.form.get("text", "").encode()
    try:
        certificates.keep_partners(gateway_id, name, content, _choice(), actor())
    except certificates.NoSuchSet:
        abort(404)
    except InvalidInput as error:
        return _again(_gateway(gateway_id), name, content, error)
    except ServiceError as error:
        flash(say(error.text), "error")
    else:
        flash(_("The partner's certificate is kept."), "success")
    return _back(gateway_id)


def _again(gateway: Gateway, name: str, content: bytes, error: InvalidInput) -> ResponseReturnValue:
    """The preview with what was wrong; the page where the file itself is."""
    if "file" in error.errors:
        return _page(gateway, failed={"name": name, "action": "upload", "errors": error.errors, "typed": {}}), 422
    shown = certificates.preview_partners(gateway, name, content)
    return _preview(gateway, name, shown, errors=error.errors, typed=request.form), 422


@blueprint.post("/<gateway_id>/certificates/<name>/switch")
@policy("gateway:manage", fresh=True)
def switch_certificate(gateway_id: str, name: str) -> ResponseReturnValue:
    """Use the next one from now on."""

    def work() -> str:
        certificates.switch_now(gateway_id, name, request.form.get("version", ""), actor())
        return str(_("The next certificate is in use now. Test the connection."))

    return _do(gateway_id, name, "switch", work)


@blueprint.post("/<gateway_id>/certificates/<name>/remove")
@policy("gateway:manage", fresh=True)
def remove_certificate(gateway_id: str, name: str) -> ResponseReturnValue:
    """Remove the one that is not in use."""

    def work() -> str:
        certificates.remove_unused(gateway_id, name, request.form.get("version", ""), actor())
        return str(_("The certificate is removed."))

    return _do(gateway_id, name, "remove", work)


@blueprint.get("/<gateway_id>/certificates/<field>.<any(cer, pem):ending>")
@policy("gateway:edit")
def download_certificate(gateway_id: str, field: str, ending: str) -> Response:
    """A certificate of ours, for the partner; never its key."""
    gateway = _gateway(gateway_id)
    try:
        certificate = certificates.certificate_in(gateway, field)
    except certificates.NoSuchSet:
        abort(404)
    encoding, media_type = _ENCODINGS[ending]
    answer = Response(certificate.public_bytes(encoding), mimetype=media_type)
    until = certificate.not_valid_after_utc.date().isoformat()
    filename = f"{safe_filename(gateway.name, 60)}-{until}.{ending}"
    answer.headers.set("Content-Disposition", "attachment", filename=filename)
    return answer
