"""Which adaptor a page is about, and what settings pages ask for: sign-in, and an owner or admin to post."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_security import auth_required

from invoiceapp.languages import say
from invoiceapp.models import Adaptor
from invoiceapp.services.people.access import adaptors, may_configure, require_configure, scoped


def protect(blueprint: Blueprint) -> None:
    """Guard every view of a settings screen; its templates get ``may_configure`` and ``say``."""
    blueprint.before_request(_check_access)
    blueprint.context_processor(lambda: {"may_configure": may_configure, "say": say})


@auth_required("session")
def _check_access() -> ResponseReturnValue | None:
    if request.method not in ("GET", "HEAD"):
        require_configure()
    return None


def chosen_adaptor() -> Adaptor | None:
    """The adaptor that the address names (``?adaptor=``), else the oldest; None where there is none yet.

    Raises ``NotYours``.
    """
    wanted = request.args.get("adaptor")
    if wanted:
        return scoped(Adaptor, wanted)
    return next(iter(adaptors()), None)
