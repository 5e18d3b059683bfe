"""What a gateway is used by, and its deletion where nothing needs it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Delivery, ExportRule, Gateway, IncomingMessage, Problem, db
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict

_UNFINISHED = (
    DeliveryState.BLOCKED, DeliveryState.PENDING, DeliveryState.LEASED, DeliveryState.SENDING, DeliveryState.OUTCOME_UNKNOWN,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Usage:
    """Why a gateway cannot be deleted."""

    customers: list[tuple[Adaptor, int]]
    """Adaptors whose customers get their documents by it, deactivated customers too"""
    default_of: list[Adaptor]
    unfinished: int
    """Deliveries that have not ended"""
    has_history: bool
    """Something was sent through it, or was to be"""

    @property
    def is_used(self) -> bool:
        """Whether it must stay."""
        return bool(self.customers or self.default_of or self.has_history)


def usage(gateway_id: str) -> Usage:
    """What a gateway is used by."""
    customers = (
        select(ExportRule.adaptor_id, func.count())
        .where(ExportRule.gateway_id == gateway_id)
        .group_by(ExportRule.adaptor_id)
        .order_by(ExportRule.adaptor_id)
    )
    defaults = select(Adaptor).where(Adaptor.default_gateway_id == gateway_id).order_by(Adaptor.id)
    of_it = select(func.count()).select_from(Delivery).where(Delivery.gateway_id == gateway_id)
    return Usage(
        [(db.session.get_one(Adaptor, adaptor_id), count) for adaptor_id, count in db.session.execute(customers).all()],
        list(db.session.scalars(defaults)),
        db.session.scalar(of_it.where(Delivery.state.in_(_UNFINISHED))) or 0, bool(db.session.scalar(of_it)),
    )  # fmt: skip


class InUse(Conflict):
    """The gateway is needed; ``usage`` says by what."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "Gatewayen er i brug og er ikke slettet. Se herunder, hvad der bruger den.",
                "The gateway is in use and was not deleted. See below what uses it.",
            )
        )


def delete(gateway_id: str) -> None:
    """Delete a gateway that nothing needs. Raises ``InUse``."""
    try:
        with transaction() as session:
            gateway = session.get_one(Gateway, gateway_id, with_for_update=True, populate_existing=True)
            if usage(gateway_id).is_used:
                raise InUse
            # What strangers posted to it, about nothing of ours.
            session.execute(sql_delete(IncomingMessage).where(IncomingMessage.gateway_id == gateway_id))
            # What was once wrong with it stays as history, of a gateway that is no more.
            session.execute(update(Problem).where(Problem.gateway_id == gateway_id).values(gateway_id=None))
            session.delete(gateway)
    except IntegrityError as error:
        # Somebody chose it between our look and our deletion.
        raise InUse from error
