"""The blueprint itself, in a module of its own because several modules bind routes to it."""

from flask import Blueprint

blueprint = Blueprint("setting_templates", __name__, url_prefix="/setting-templates")
