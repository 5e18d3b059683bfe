"""The blueprint itself, apart from what is bound to it."""

from flask import Blueprint

from invoiceapp.extensions import csrf

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
# No browser sends a key by itself, and a session's cookie opens nothing here.
csrf.exempt(blueprint)
