"""Adaptors: the catalogue, activation and rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Document, Environment, ExportRule, Run, Subscription, db, new_id
from invoiceapp.services import bell
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.export.validators import today
from invoiceapp.sources.base import Source, registry

from . import environments, outgoing, rules

LONGEST_NAME = 200
#: What every receiver in NemHandel takes, the public ones too.
PROPOSED_FORMAT = "oioubl-2.1"


class AlreadyThere(Conflict):
    """The subscription has an adaptor of this kind and name: perhaps a second click on the same button."""

    def __init__(self, adaptor: Adaptor) -> None:
        super().__init__(
            Text(
                f"»{adaptor.name}« findes allerede, og her er den. Der er ikke oprettet en til. Skal I forbinde endnu en "
                "virksomhed, så giv den nye adaptor et andet navn.",
                f"“{adaptor.name}” exists already, and here it is. No second one was made. To connect another company, give "
                "the new adaptor another name.",
            )
        )
        self.adaptor_id = adaptor.id


def catalogue() -> dict[str, type[Source]]:
    """Sources that this installation offers, by kind."""
    return registry()


def matching(text: str) -> dict[str, type[Source]]:
    """The part of the catalogue whose words hold all words of ``text``, in either language."""
    words = text.casefold().split()

    def spoken(source: type[Source]) -> str:
        texts = (source.label, source.description)
        return " ".join(part for one in texts for part in (one.da, one.en)).casefold()

    return {
        kind: source
        for kind, source in catalogue().items()
        if all(word in f"{kind} {spoken(source)}" for word in words)
    }


def of_subscription(subscription_id: str) -> list[Adaptor]:
    """All adaptors, deleted ones too, oldest first."""
    return list(
        db.session.scalars(select(Adaptor).where(Adaptor.subscription_id == subscription_id).order_by(Adaptor.id))
    )


def hold_names(subscription_id: str) -> None:
    """Two who name adaptors of one subscription take turns, until the caller's transaction ends."""
    db.session.execute(
        select(Subscription.id).where(Subscription.id == subscription_id).with_for_update(key_share=True)
    )


def named(subscription_id: str, name: str) -> Adaptor | None:
    """The adaptor of this name that was not deleted. Large and small letters are the same."""
    wanted = name.strip().casefold()
    kept = (row for row in of_subscription(subscription_id) if row.deleted_at is None)
    return next((row for row in kept if row.name.strip().casefold() == wanted), None)


def free_name(subscription_id: str, source_kind: str) -> str:
    """A name to propose for a new adaptor: what the source is called, with a number where that is taken."""
    label = catalogue()[source_kind].label.da
    taken = {row.name.strip().casefold() for row in of_subscription(subscription_id) if row.deleted_at is None}
    names = [label, *(f"{label} {number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name.casefold() not in taken)


def name_errors(name: str) -> dict[str, Text]:
    """What is wrong with a name, for the field ``name``."""
    if not name.strip():
        return {"name": Text("Giv adaptoren et navn.", "Give the adaptor a name.")}
    if len(name.strip()) > LONGEST_NAME:
        return {"name": Text("Skriv højst 200 tegn.", "Write at most 200 characters.")}
    if not name.strip().isprintable():
        return {"name": Text("Skriv navnet på én linje.", "Write the name on one line.")}
    return {}


def destination_errors(adaptor: Adaptor, format_id: str, gateway_id: str) -> dict[str, Text]:
    """Why these cannot be the defaults, by ``format`` and ``gateway``; either may be left open."""
    found = rules.pair_errors(adaptor, format_id, gateway_id)
    chosen = {"format": format_id, "gateway": gateway_id}
    return {field: text for field, text in found.items() if chosen[field]}


def activate(
    subscription_id: str, source_kind: str, name: str, *, environment: str = Environment.LIVE, format_id: str = "",
    gateway_id: str = "", creator_id: str | None = None,
) -> Adaptor:  # fmt: skip
    """A new adaptor for a source, not connected yet. Nothing that is dated before today will be sent.

    Raises ``InvalidInput`` by ``kind``, ``name``, ``environment``, ``format`` and ``gateway``, ``AlreadyThere``.
    """
    if source_kind not in registry():
        raise InvalidInput({"kind": Text("Vælg et system på listen.", "Choose a system from the list.")})
    name = name.strip()
    with transaction() as session:
        hold_names(subscription_id)
        adaptor = Adaptor(
            id=new_id(), subscription_id=subscription_id, source_kind=source_kind, settings={}, name=name,
            environment=environments.parse(environment), default_format=format_id or None,
            default_gateway_id=gateway_id or None, start_date=today(), creator_id=creator_id,
        )  # fmt: skip
        same = named(subscription_id, name)
        if same is not None and same.source_kind == source_kind:
            raise AlreadyThere(same)
        errors = name_errors(name) | destination_errors(adaptor, format_id, gateway_id)
        if same is not None:
            errors["name"] = taken(name)
        if errors:
            raise InvalidInput(errors)
        session.add(adaptor)
    return adaptor


def taken(name: str) -> Text:
    """The name belongs to another adaptor."""
    return Text(
        f"En anden adaptor hedder »{name.strip()}«. Vælg et andet navn.",
        f"Another adaptor is called “{name.strip()}”. Choose another name.",
    )


@dataclass(frozen=True, slots=True)
class Overview:
    """One adaptor in the list of all."""

    adaptor: Adaptor
    active_customers: int
    documents: int
    waiting: int
    last_run: Run | None


def overview(subscription_id: str) -> list[Overview]:
    """All adaptors with what one wants to know of each, deleted ones too."""
    rows = of_subscription(subscription_id)
    ids = [row.id for row in rows]
    customers = _active_customers(ids)
    documents = _documents(ids)
    waiting = outgoing.waiting(ids)
    runs = _last_runs(ids)
    return [
        Overview(row, customers.get(row.id, 0), documents.get(row.id, 0), waiting[row.id], runs.get(row.id))
        for row in rows
    ]


def _active_customers(ids: Sequence[str]) -> dict[str, int]:
    found = select(ExportRule.adaptor_id, func.count()).where(ExportRule.adaptor_id.in_(ids), ExportRule.active)
    return dict(db.session.execute(found.group_by(ExportRule.adaptor_id)).all())


def _documents(ids: Sequence[str]) -> dict[str, int]:
    found = select(Document.adaptor_id, func.count()).where(Document.adaptor_id.in_(ids))
    return dict(db.session.execute(found.group_by(Document.adaptor_id)).all())


def _last_runs(ids: Sequence[str]) -> dict[str, Run]:
    newest = select(func.max(Run.id)).where(Run.adaptor_id.in_(ids)).group_by(Run.adaptor_id)
    return {run.adaptor_id: run for run in db.session.scalars(select(Run).where(Run.id.in_(newest)))}


def set_active(adaptor_id: str, active: bool) -> None:
    """Let an adaptor rest, or wake it. While it rests nothing is read or sent, and what waits keeps waiting.

    Raises ``AdaptorDeleted``.
    """
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)
        environments.require_kept(adaptor)
        adaptor.active = active
    if active:
        bell.ring("convert")
        bell.ring("deliver")


def set_default_gateway(adaptor_id: str, gateway_id: str) -> None:
    """Make a gateway the default one, where a new adaptor waits for it. Raises ``InvalidInput``, ``AdaptorDeleted``."""
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id, with_for_update={"key_share": True}, populate_existing=True)
        environments.require_kept(adaptor)
        if errors := destination_errors(adaptor, adaptor.default_format or "", gateway_id):
            raise InvalidInput(errors)
        adaptor.default_gateway_id = gateway_id
