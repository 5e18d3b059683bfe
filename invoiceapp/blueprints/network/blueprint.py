"""The blueprint itself, in a module of its own because several modules bind routes to it."""

from flask import Blueprint

from invoiceapp.blueprints.tenancy import of_kept_adaptors

from . import words

blueprint = Blueprint("network", __name__, url_prefix="/network")
of_kept_adaptors(blueprint)


@blueprint.context_processor
def _words() -> dict[str, object]:
    return {
        "state_look": words.state_look, "sureness": words.sureness, "kind_label": words.kind_label, "taken": words.taken,
        "shown": words.shown, "naming": words.naming, "format_label": words.format_label,
        "registered_as": words.registered_as, "before": words.before,
        "waits": words.waits,
    }  # fmt: skip
