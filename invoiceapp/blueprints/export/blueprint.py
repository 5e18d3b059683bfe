"""The blueprint of this screen, which several modules bind routes to."""

from flask import Blueprint

blueprint = Blueprint("export", __name__, url_prefix="/export")
