"""What is left to do between an activated adaptor and its first export: derived from what is there, never ticked by hand."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from sqlalchemy import exists, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.identifiers import cvr_from
from invoiceapp.domain.money import ZERO
from invoiceapp.models import Adaptor, Delivery, ExportRule, Gateway, Job, JobState, Run, RunState, db

from . import preflight, vat

#: A delivery that got this far shows that everything works.
_SUCCESSFUL = (DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.ACKNOWLEDGED)


class Step(StrEnum):
    """One line of the checklist, in the order in which a newcomer would go."""

    CONNECT = "connect"
    COMPANY = "company"
    GATEWAY = "gateway"
    VAT = "vat"
    CHECK = "check"
    CUSTOMERS = "customers"
    EXPORT = "export"


def _is_connected(adaptor: Adaptor) -> bool:
    return bool(adaptor.organization)


def _has_number(adaptor: Adaptor) -> bool:
    """A CVR number in the source, or an address of our own: without one no e-invoice has a sender."""
    own = (adaptor.settings.get("supplier") or {}).get("endpoint")
    return bool(own or cvr_from((adaptor.organization or {}).get("registration_no")))


def _has_gateway(adaptor: Adaptor) -> bool:
    return bool(db.session.scalar(select(exists().where(Gateway.subscription_id == adaptor.subscription_id))))


def _has_vat(adaptor: Adaptor) -> bool:
    """Whether somebody has chosen: only rates of 0 % leave room for doubt, and one that is sold to many countries stays open."""
    rates = vat.rates(adaptor)
    return bool(rates) and (any(rate.category for rate in rates) or all(rate.percent != ZERO for rate in rates))


def _is_checked(adaptor: Adaptor) -> bool:
    """Whether documents were read and judged. A check before anything was read says nothing."""
    read = exists().where(Run.adaptor_id == adaptor.id, Run.state == RunState.FINISHED, Run.read > 0)
    judged = exists().where(
        Job.adaptor_id == adaptor.id, Job.kind == preflight.KIND, Job.state == JobState.FINISHED, Job.total > 0
    )
    return bool(db.session.scalar(select(read & judged)))


def _has_customers(adaptor: Adaptor) -> bool:
    return bool(db.session.scalar(select(exists().where(ExportRule.adaptor_id == adaptor.id, ExportRule.active))))


def has_exported(adaptor: Adaptor) -> bool:
    """Whether the first document has left; the checklist has done its work then."""
    arrived = exists().where(
        Delivery.subscription_id == adaptor.subscription_id,
        Delivery.adaptor_id == adaptor.id,
        Delivery.state.in_(_SUCCESSFUL),
    )
    return bool(db.session.scalar(select(arrived)))


_CHECKS: dict[Step, Callable[[Adaptor], bool]] = {
    Step.CONNECT: _is_connected,
    Step.COMPANY: _has_number,
    Step.GATEWAY: _has_gateway,
    Step.VAT: _has_vat,
    Step.CHECK: _is_checked,
    Step.CUSTOMERS: _has_customers,
    Step.EXPORT: has_exported,
}


def steps(adaptor: Adaptor) -> dict[Step, bool]:
    """All steps in order, and whether each is done."""
    return {step: is_done(adaptor) for step, is_done in _CHECKS.items()}
