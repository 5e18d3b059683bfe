"""The blueprint itself, apart from what is bound to it."""

from flask import Blueprint

blueprint = Blueprint("notifications", __name__, url_prefix="/notifications")
