"""The blueprint itself, apart from what is bound to it."""

from flask import Blueprint

blueprint = Blueprint("main", __name__)
