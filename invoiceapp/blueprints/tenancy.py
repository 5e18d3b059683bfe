"""Which adaptor a page is about, and what settings pages ask for: sign-in, and an owner or admin to post."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_security import auth_required

from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Customer, Document, Job, Run, SettingsChange
from invoiceapp.services.configuration.environments import require_kept
from invoiceapp.services.people.access import NotYours, adaptors, may_configure, require_configure, scoped

#: Settings screens that are about no adaptor.
_SHARED = frozenset({"gateways", "rulepacks"})
#: Rows that addresses name, and that belong to an adaptor.
_NAMED_BY: dict[str, type[Any]] = {
    "customer_id": Customer, "document_id": Document, "run_id": Run, "change_id": SettingsChange, "job_id": Job,
}  # fmt: skip


def protect(blueprint: Blueprint) -> None:
    """Guard every view of a settings screen; its templates get ``may_configure`` and ``say``.

    Of a deleted adaptor there is nothing to set: its documents are on the dashboard.
    """
    blueprint.before_request(_check_access)
    blueprint.context_processor(lambda: {"may_configure": may_configure, "say": say})


@auth_required("session")
def _check_access() -> ResponseReturnValue | None:
    if request.method not in ("GET", "HEAD"):
        require_configure()
    if request.blueprint not in _SHARED and request.endpoint != "adaptors.index":
        adaptor = named_adaptor()
        if adaptor is not None:
            require_kept(adaptor)
    return None


def named_adaptor() -> Adaptor | None:
    """The adaptor that the address names: itself (``/<adaptor_id>/``, ``?adaptor=``), or by a row of it.

    May be a deleted one. Raises ``NotYours``, also where the address names two: what is asked of one must not be
    done to a row of the other.
    """
    path = request.view_args or {}
    named = [scoped(model, path[name]).adaptor_id for name, model in _NAMED_BY.items() if name in path]
    named += filter(None, (path.get("adaptor_id"), request.args.get("adaptor")))
    if not named:
        return None
    if len(set(named)) > 1:
        raise NotYours
    return scoped(Adaptor, named[0])


def chosen_adaptor() -> Adaptor | None:
    """The adaptor that the address names, else the oldest that was not deleted; None where there is none yet.

    Raises ``NotYours``.
    """
    return named_adaptor() or next(iter(adaptors()), None)
