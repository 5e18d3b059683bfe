"""The blueprint itself, in a module of its own because several modules bind routes to it."""

from flask import Blueprint

from invoiceapp.blueprints.tenancy import of_kept_adaptors

blueprint = Blueprint("adaptors", __name__, url_prefix="/adaptors")
of_kept_adaptors(blueprint, but="adaptors.index")
