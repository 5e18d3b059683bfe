"""Whether this process lives, whether it can serve, and the figures of the installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flask import Blueprint, Flask, Response, current_app
from flask.blueprints import BlueprintSetupState

from invoiceapp.blueprints.policy import policy
from invoiceapp.services.operations import readiness
from invoiceapp.services.operations.metrics import CONTENT_TYPE, Figures

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

blueprint = Blueprint("operations", __name__)

_FIGURES = "invoiceapp.figures"
_ADDRESSES = frozenset({"/healthz", "/readyz", "/metrics"})


@blueprint.get("/healthz")
@policy("public")
def healthz() -> dict[str, str]:
    """For whoever restarts processes: this one lives. It asks nobody, because a restart helps no database."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@policy("public")
def readyz() -> tuple[dict[str, Any], int]:
    """For load balancers: 200 while this process can serve, else 503 with the part that fails."""
    found = readiness.look()
    said = {"status": "ready" if found.is_ready else "not ready", **found.public}
    return said, 200 if found.is_ready else 503


@blueprint.get("/metrics")
@policy("operator")
def metrics() -> Response:
    """For Prometheus; any one web process tells of the whole installation."""
    figures: Figures = current_app.extensions[_FIGURES]
    return Response(figures.text(), content_type=CONTENT_TYPE)


@blueprint.record_once
def _begin(state: BlueprintSetupState) -> None:
    app = cast("Flask", state.app)
    app.extensions[_FIGURES] = Figures()
    app.wsgi_app = _by_any_name(app.wsgi_app, app.config["TRUSTED_HOSTS"])  # type: ignore[method-assign]


def _by_any_name(inner: WSGIApplication, hosts: list[str]) -> Any:
    """Let machines ask for these addresses by a number (``TRUSTED_HOSTS``): their answers name no host."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        if environ.get("PATH_INFO") in _ADDRESSES:
            environ = {**environ, "HTTP_HOST": hosts[0].lstrip(".")}
        return inner(environ, start_response)

    return application
