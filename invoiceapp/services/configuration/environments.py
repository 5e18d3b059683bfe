"""Test and live: what may reach what, and what is held back when that changes. And whether an adaptor is still there."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select, update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Finding, Severity, Text, Turn
from invoiceapp.models import Adaptor, Delivery, Environment, Gateway, db
from invoiceapp.services.delivery import moves
from invoiceapp.services.errors import Conflict, InvalidInput

from . import outgoing

RULE = "IA-ENVIRONMENT"
CHOICES = ((Environment.LIVE.value, Text("I drift", "Live")), (Environment.TEST.value, Text("Test", "Test")))


def field(help: Text) -> Field:
    """The input ``environment`` of a form."""
    return Field(
        "environment", Text("Miljø", "Environment"), FieldType.CHOICE, required=True, choices=CHOICES, help=help,
        default=Environment.LIVE.value,
    )  # fmt: skip


def may_reach(adaptor_environment: Environment, gateway_environment: Environment) -> bool:
    """Whether an adaptor may send through a gateway: a test adaptor never reaches a live one."""
    return adaptor_environment is Environment.LIVE or gateway_environment is Environment.TEST


def parse(raw: str) -> Environment:
    """What a form says. Raises ``InvalidInput`` for the field ``environment``."""
    try:
        return Environment(raw)
    except ValueError as error:
        raise InvalidInput({"environment": Text("Vælg test eller drift.", "Choose test or live.")}) from error


def not_allowed(gateway_name: str) -> Finding:
    """Why a delivery stays: the adaptor is for tests, and its customer's gateway is live."""
    return Finding(
        RULE,
        Severity.FATAL,
        Text(
            f"Adaptoren er en testadaptor, men gatewayen »{gateway_name}« er i drift, så intet sendes. Vælg en testgateway "
            "til kunden, eller sæt adaptoren i drift under Generelt.",
            f"The adaptor is a test adaptor, but the gateway “{gateway_name}” is live, so nothing is sent. Choose a test "
            "gateway for the customer, or set the adaptor live under General.",
        ),
        Turn.HERE,
        fix="customer.gateway",
    )


def hold_documents(belongs: ColumnElement[bool], queued: ColumnElement[bool]) -> None:
    """Before an adaptor or gateway is locked to change its environment: ``outgoing.hold_documents`` for ``hold_back``."""
    outgoing.hold_documents(belongs, queued, (DeliveryState.PENDING,))


def hold_back(belongs: ColumnElement[bool], actor: str) -> int:
    """Block those of the waiting deliveries that may not reach their gateway any more; how many.

    Inside the transaction that changes an environment, so that no worker finds the one without the other.
    """
    test = select(Adaptor.id).where(Adaptor.environment == Environment.TEST)
    live = select(Gateway.id).where(Gateway.environment == Environment.LIVE)
    # What a try has let out may have arrived; it is not built anew, and the claim leaves it alone.
    out_of_reach = (
        belongs & Delivery.adaptor_id.in_(test) & Delivery.gateway_id.in_(live) & Delivery.first_sent_at.is_(None)
    )
    moved = moves.move_all(out_of_reach, (DeliveryState.PENDING,), DeliveryState.BLOCKED)
    if not moved:
        return 0
    named = select(Gateway.id, Gateway.name).where(Gateway.id.in_({row.gateway_id for row in moved}))
    names = {row.id: row.name for row in db.session.execute(named)}
    found = [(row, not_allowed(names[row.gateway_id]).to_dict()) for row in moved]
    db.session.execute(update(Delivery), [{"id": row.id, "findings": [*row.findings, why]} for row, why in found])
    outgoing.tell("blocked", moved, actor, rules=[RULE])
    return len(moved)


class AdaptorDeleted(Conflict):
    """The adaptor was deleted: its documents can be read, and nothing else can be done with it."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "Adaptoren er slettet og kan ikke ændres. Dens dokumenter og deres arkiv er bevaret; find dem under Adaptorer.",
                "The adaptor is deleted and cannot be changed. Its documents and their archive are kept; find them under "
                "Adaptors.",
            )
        )


def require_kept(adaptor: Adaptor) -> None:
    """Raises ``AdaptorDeleted``."""
    if adaptor.deleted_at is not None:
        raise AdaptorDeleted
