"""The blueprint itself, apart from what is bound to it."""

from flask import Blueprint

from invoiceapp.blueprints.tenancy import protect

blueprint = Blueprint("gateways", __name__, url_prefix="/gateways")
protect(blueprint)
