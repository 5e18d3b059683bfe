"""The blueprint itself, in a module of its own because several modules bind routes to it."""

from flask import Blueprint

from invoiceapp.blueprints.tenancy import of_kept_adaptors

blueprint = Blueprint("settings", __name__, url_prefix="/settings")
of_kept_adaptors(blueprint)
