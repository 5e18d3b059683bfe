"""Export rules: activating customers, and letting go what waited for a correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from operator import add
from typing import Any

from sqlalchemy import and_, func, insert, or_, select, update

from invoiceapp.domain.findings import Text
from invoiceapp.domain.four_eyes import customer_atom
from invoiceapp.formats.base import registry as formats
from invoiceapp.gateways.base import registry as transports
from invoiceapp.models import Adaptor, Customer, Document, ExportRule, Gateway, Stage, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.four_eyes import authors

from . import releasing
from .environments import may_reach
from .releasing import Released
from .settings import is_excluded

#: Parameters of one statement; SQLite and PostgreSQL end between 32 766 and 65 535.
MOST_AT_ONCE = 30_000
#: Rows that one statement writes.
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of customers that were to be activated or deactivated."""

    done: int = 0
    """They were not, and now are"""
    changed: int = 0
    """Active already, now with another format or gateway"""
    already: int = 0
    """Nothing was to be done"""
    refused: int = 0
    """No customers of this adaptor"""
    waiting: int = 0
    """Documents that were read before and are not sent by themselves"""
    stopped: int = 0
    """Documents that waited to be sent, and are not sent because their customer was deactivated"""

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(*map(add, astuple(self), astuple(other)))


def pair_errors(adaptor: Adaptor, format_id: str, gateway_id: str) -> dict[str, Text]:
    """Why the adaptor's customers cannot get this format and gateway, by field; empty where they can."""
    errors: dict[str, Text] = {}
    gateway = db.session.scalar(
        select(Gateway).where(Gateway.id == gateway_id, Gateway.subscription_id == adaptor.subscription_id)
    )
    if format_id not in formats():
        errors["format"] = Text("Vælg et format.", "Choose a format.")
    if gateway is None:
        errors["gateway"] = Text("Vælg en gateway.", "Choose a gateway.")
    elif not may_reach(adaptor.environment, gateway.environment):
        errors["gateway"] = Text(
            "Adaptoren er i testmiljøet, og gatewayen sender rigtigt. Vælg en testgateway, eller sæt adaptoren i drift under "
            "Generelt.",
            "The adaptor is in the test environment, and the gateway sends for real. Choose a test gateway, or set the adaptor "
            "live under General.",
        )
    elif not errors and not _accepts(gateway, format_id):
        errors["format"] = Text("Gatewayen kan ikke sende dette format.", "The gateway cannot send this format.")
    return errors


def _accepts(gateway: Gateway, format_id: str) -> bool:
    transport = transports().get(gateway.kind)
    return transport is not None and (transport.accepts is None or format_id in transport.accepts)


def require_working(adaptor: Adaptor) -> None:
    """Raises ``ServiceError`` for an adaptor that is switched off or deleted."""
    if adaptor.deleted_at is not None:
        raise ServiceError(
            Text(
                "Adaptoren er slettet. Der kan ikke aktiveres kunder i den.",
                "The adaptor is deleted. No customers can be activated in it.",
            )
        )
    if not adaptor.active:
        raise ServiceError(
            Text(
                "Adaptoren er slået fra. Aktivér den igen under Generelt, og aktivér så kunderne.",
                "The adaptor is switched off. Activate it again under General, and then activate the customers.",
            )
        )


def within_reach(customer_ids: Sequence[str]) -> None:
    """Raises ``ServiceError`` for more ids than one statement takes."""
    if len(customer_ids) > MOST_AT_ONCE:
        raise ServiceError(Text("Vælg højst 30.000 kunder ad gangen.", "Choose at most 30,000 customers at a time."))


def held(adaptor_id: str) -> Adaptor:
    """The adaptor, locked until the caller's transaction ends: two who activate the same customers take turns."""
    return db.session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)


def _no_longer_new(customer_ids: Sequence[str]) -> None:
    db.session.execute(
        update(Customer).where(Customer.id.in_(customer_ids), Customer.is_new).values(is_new=False),
        execution_options={"synchronize_session": False},
    )


def _found(adaptor_id: str, customer_ids: Sequence[str]) -> list[Any]:
    """Id, and id, state, format and gateway of the rule, of those that are customers of the adaptor."""
    return list(
        db.session.execute(
            select(Customer.id, ExportRule.id, ExportRule.active, ExportRule.format, ExportRule.gateway_id)
            .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
            .where(Customer.adaptor_id == adaptor_id, Customer.id.in_(customer_ids))
        )
    )


def activate_chunk(adaptor: Adaptor, customer_ids: Sequence[str], format_id: str, gateway_id: str) -> Outcome:
    """Activate up to ``CHUNK`` customers, in three statements whatever their number. In the caller's transaction.

    ``adaptor`` is ``held`` and ``require_working``, the pair has no ``pair_errors``.
    """
    rows = _found(adaptor.id, customer_ids)
    missing = [customer_id for customer_id, rule_id, *_ in rows if rule_id is None]
    changing = {
        rule_id: active
        for _, rule_id, active, *pair in rows
        if rule_id and (not active or pair != [format_id, gateway_id])
    }
    if missing:
        values = {"subscription_id": adaptor.subscription_id, "adaptor_id": adaptor.id, "active": True}
        values |= {"format": format_id, "gateway_id": gateway_id, "settings": {}}
        db.session.execute(insert(ExportRule), [{**values, "customer_id": one} for one in missing])
    if changing:
        db.session.execute(
            update(ExportRule)
            .where(ExportRule.id.in_(changing))
            .values(active=True, format=format_id, gateway_id=gateway_id, updated_at=utcnow()),
            execution_options={"synchronize_session": False},
        )
    _no_longer_new([row[0] for row in rows])
    begun = [customer_id for customer_id, _, active, *_ in rows if not active]
    authors.note(adaptor.subscription_id, map(customer_atom, begun))
    changed = sum(changing.values())
    return Outcome(
        done=len(missing) + len(changing) - changed, changed=changed, already=len(rows) - len(missing) - len(changing),
        refused=len(set(customer_ids)) - len(rows),
    )  # fmt: skip


def deactivate_chunk(adaptor: Adaptor, customer_ids: Sequence[str]) -> Outcome:
    """Stop up to ``CHUNK`` customers; their settings are kept. In the caller's transaction."""
    rows = _found(adaptor.id, customer_ids)
    stopping = [rule_id for _, rule_id, active, *_ in rows if active]
    if stopping:
        db.session.execute(
            update(ExportRule).where(ExportRule.id.in_(stopping)).values(active=False, updated_at=utcnow()),
            execution_options={"synchronize_session": False},
        )
    _no_longer_new([row[0] for row in rows])
    return Outcome(
        done=len(stopping), already=len(rows) - len(stopping), refused=len(set(customer_ids)) - len(rows)
    )  # fmt: skip


def chunks(customer_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in pieces of ``CHUNK``."""
    return (customer_ids[start : start + CHUNK] for start in range(0, len(customer_ids), CHUNK))


def activate(adaptor_id: str, customer_ids: Sequence[str], format_id: str, gateway_id: str) -> int:
    """Activate customers; how many are active now. Ids of other adaptors are ignored. Raises ``InvalidInput``, ``ServiceError``.

    A customer that is active already gets the new format and gateway. Documents
    that were read before are not sent by themselves (``waiting`` counts them);
    a manual export takes them.
    """
    outcome = activate_all(adaptor_id, customer_ids, format_id, gateway_id)
    return outcome.done + outcome.changed + outcome.already


def activate_all(adaptor_id: str, customer_ids: Sequence[str], format_id: str, gateway_id: str) -> Outcome:
    """``activate``, and what became of each."""
    within_reach(customer_ids)
    with transaction():
        adaptor = held(adaptor_id)
        require_fit(adaptor, format_id, gateway_id)
        pieces = (activate_chunk(adaptor, piece, format_id, gateway_id) for piece in chunks(customer_ids))
        outcome = sum(pieces, Outcome())
    return settled(outcome, customer_ids)


def settled(outcome: Outcome, customer_ids: Sequence[str], actor: str = "system") -> Outcome:
    """Let what waits for the customers obey the change, which is committed; with the number of those that were stopped.

    In transactions of its own: here the documents are locked first, and the change has the adaptor.
    """
    if not (outcome.done or outcome.changed):
        return outcome
    pieces = [releasing.after_choice(piece, actor).stopped for piece in chunks(customer_ids)]
    return replace(outcome, stopped=outcome.stopped + sum(pieces))


def require_fit(adaptor: Adaptor, format_id: str, gateway_id: str) -> None:
    """Raises ``ServiceError`` for an adaptor at rest, ``InvalidInput`` for a format and gateway that do not fit."""
    require_working(adaptor)
    if errors := pair_errors(adaptor, format_id, gateway_id):
        raise InvalidInput(errors)


def waiting(adaptor_id: str, customer_ids: Sequence[str]) -> int:
    """Documents of these customers that were read while nothing was to be sent, and that a manual export takes.

    It never takes those before the start date, nor types that the settings leave out.
    """
    found = (
        select(Document.type, Adaptor.settings, ExportRule.settings, func.count(Document.id.distinct()))
        .join(
            Customer,
            and_(Customer.adaptor_id == Document.adaptor_id, Customer.source_id == Document.customer_source_id),
        )
        .join(Adaptor, Adaptor.id == Document.adaptor_id)
        .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
        .where(
            Document.adaptor_id == adaptor_id,
            Document.stage == Stage.LISTED,
            Customer.id.in_(customer_ids),
            or_(Adaptor.start_date.is_(None), Document.issue_date >= Adaptor.start_date),
        )
        .group_by(Document.type, Adaptor.settings, ExportRule.settings)
    )
    rows = db.session.execute(found).all()
    return sum(count for kind, common, own, count in rows if not is_excluded(kind, common, own or {}))


def deactivate(adaptor_id: str, customer_ids: Sequence[str]) -> int:
    """Stop exporting to customers; how many were active. Their settings are kept. Raises ``ServiceError``."""
    return deactivate_all(adaptor_id, customer_ids).done


def deactivate_all(adaptor_id: str, customer_ids: Sequence[str], actor: str = "system") -> Outcome:
    """``deactivate``, and what became of each. What waits to be sent to them goes back to the list."""
    within_reach(customer_ids)
    with transaction():
        adaptor = held(adaptor_id)
        outcome = sum((deactivate_chunk(adaptor, piece) for piece in chunks(customer_ids)), Outcome())
    return settled(outcome, customer_ids, actor)


def release_blocked(customer_id: str) -> int:
    """Convert a customer's blocked documents again, after something was mended that is no setting; how many."""
    return releasing.let_go(Document.customer_id == customer_id)


def released(customer_id: str, actor: str = "system") -> Released:
    """Let everything of a customer that waits obey its new settings (``releasing.after_change``)."""
    return releasing.after_change(Document.customer_id == customer_id, actor)


def all_released(adaptor_id: str, actor: str = "system") -> Released:
    """The same for all customers of an adaptor, after its common settings or VAT categories changed."""
    return releasing.after_change(Document.adaptor_id == adaptor_id, actor)


def release_all_blocked(adaptor_id: str) -> int:
    """``all_released`` for callers who only want to know how many documents are converted again."""
    return all_released(adaptor_id).queued


def format_choices() -> list[tuple[str, Text]]:
    """Formats that a customer can get: id and label, by label."""
    return sorted(((item.id, item.label) for item in formats().values()), key=lambda choice: choice[1].da.lower())
