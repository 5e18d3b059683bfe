"""The blueprint itself, apart from what is bound to it."""

from flask import Blueprint

blueprint = Blueprint("tokens", __name__)
