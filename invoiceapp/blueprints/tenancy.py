"""Which rows an address names, which adaptor a page is about, and what of a deleted adaptor is still there."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, request
from sqlalchemy import select

from invoiceapp.models import (
    Adaptor,
    Customer,
    Document,
    Gateway,
    Group,
    Invitation,
    Job,
    Membership,
    MonthEndProof,
    Notice,
    Problem,
    Recipient,
    Run,
    Schedule,
    SettingsChange,
    SettingTemplate,
    Shared,
    db,
)
from invoiceapp.services.configuration.environments import require_kept
from invoiceapp.services.people import access
from invoiceapp.services.people.access import NotYours, scoped

#: Rows that addresses name; all have a subscription.
NAMED: dict[str, type[Any]] = {
    "adaptor_id": Adaptor, "customer_id": Customer, "document_id": Document, "run_id": Run, "change_id": SettingsChange,
    "job_id": Job, "problem_id": Problem, "schedule_id": Schedule, "gateway_id": Gateway, "recipient_id": Recipient,
    "notice_id": Notice, "membership_id": Membership, "group_id": Group, "invitation_id": Invitation,
    "template_id": SettingTemplate, "proof_id": MonthEndProof,
}  # fmt: skip
#: Of these, those that belong to an adaptor.
_OF_ADAPTORS = frozenset(
    {"customer_id", "document_id", "run_id", "change_id", "job_id", "problem_id", "schedule_id", "proof_id"},
)
#: Of these, those that are shared themselves and are no adaptor.
_SHARED = frozenset({"gateway_id", "template_id"})
#: In the query: all adaptors.
ALL = "all"


def of_kept_adaptors(blueprint: Blueprint, but: str = "") -> None:
    """Guard a settings screen, all its endpoints ``but`` one: of a deleted adaptor there is nothing to set.

    Its documents are on the dashboard.
    """

    def require() -> None:
        adaptor = named_adaptor() if request.endpoint != but else None
        if adaptor is not None:
            require_kept(adaptor)

    blueprint.before_request(require)


def _named() -> dict[str, str]:
    """What the address names, by the name of the row's kind."""
    path = request.view_args or {}
    found = {name: str(path[name]) for name in NAMED if name in path}
    adaptor_id = request.args.get("adaptor")
    if adaptor_id and adaptor_id != ALL and "adaptor_id" not in found:
        found["adaptor_id"] = adaptor_id
    return found


def named_subscription() -> str | None:
    """The subscription of what the address names; None where it names nothing.

    Raises ``NotYours``, also where the address names rows of two: what is asked in one must not be done in the other.
    """
    named = _named()
    if not named:
        return None
    found = {
        db.session.scalar(select(NAMED[name].subscription_id).where(NAMED[name].id == row_id))
        for name, row_id in named.items()
    }
    if None in found or len(found) > 1:
        raise NotYours
    return found.pop()


def named_shared(kind: str) -> Shared | None:
    """The ``adaptor``, ``gateway`` or ``template`` that the address names; the person may see all that it names besides.

    Raises ``NotYours``, ``NotAllowed``.
    """
    named = _named()
    found: dict[str, Shared | None] = {name: scoped(NAMED[name], named[name]) for name in _SHARED & named.keys()}
    found["adaptor_id"] = named_adaptor()
    return found.get(f"{kind}_id")


def named_adaptor() -> Adaptor | None:
    """The adaptor that the address names: itself (``/<adaptor_id>/``, ``?adaptor=``), or by a row of it.

    May be a deleted one. Raises ``NotYours``, also where the address names two: what is asked of one must not be
    done to a row of the other.
    """
    named = _named()
    ids = [scoped(NAMED[name], named[name]).adaptor_id for name in named.keys() & _OF_ADAPTORS]
    ids += filter(None, (named.get("adaptor_id"), _in_query()))
    if not ids:
        return None
    if len(set(ids)) > 1:
        raise NotYours
    return scoped(Adaptor, ids[0])


def _in_query() -> str | None:
    adaptor_id = request.args.get("adaptor")
    return adaptor_id if adaptor_id != ALL else None


def chosen_adaptor() -> Adaptor | None:
    """The adaptor that the address names, else the oldest that is open to the person; None where there is none yet.

    Raises ``NotYours``, ``NotAllowed``.
    """
    found = named_adaptor() or next(iter(access.adaptors()), None)
    if found is not None and access.asked().kind == "adaptor" and g.get("about") is None:
        access.about(found)
    return found
