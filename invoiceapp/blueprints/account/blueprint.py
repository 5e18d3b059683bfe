"""The blueprint itself, apart from what is bound to it."""

from flask import Blueprint

blueprint = Blueprint("account", __name__, url_prefix="/account")
