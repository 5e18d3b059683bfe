"""A file made true, all of it or nothing. A dry run is the same work, rolled back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Environment,
    ExportRule,
    Gateway,
    NewCustomers,
    Subscription,
    db,
    new_id,
)
from invoiceapp.services import bell
from invoiceapp.services.configuration import adaptors, credentials, environments, gateways, preflight, rules
from invoiceapp.services.configuration.sources import TAX_RATES
from invoiceapp.services.database import transaction
from invoiceapp.services.export.validators import today

from .connections import Stored, connect, judge
from .document import AdaptorEntry, Document, GatewayEntry, document_in
from .overrides import no_gateway, set_customers, set_settings
from .problems import Problems
from .reading import read
from .schedules import set_schedules
from .subscriptions import NoSubscription, chosen
from .wording import Change, Subject
from .work import ACTOR, Note, Work

#: The file's words for an adaptor's columns.
_WORDS = {
    "description": "description", "environment": "environment", "active": "active", "new_customers": "newCustomers",
    "start_date": "startDate", "default_format": "defaults.format",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is to be applied."""

    subscription: str | None = None
    """Instead of the one that the file names"""
    create_subscription: bool = False
    prune: bool = False
    """Deactivate customers that the file does not have"""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was changed, or would be."""

    changes: list[Change]
    notes: list[Note]
    secrets: list[tuple[Subject, str, str]]
    """Of each secret that the file refers to: whose, which, and ``same``, ``differs`` or ``cannot be read``"""


def apply(content: bytes, options: Options) -> Outcome:
    """Make what is stored as the file says. Raises ``ConfigurationInvalid`` with all its problems, ``ServiceError``."""
    node, problems = read(content)
    document = document_in(node, problems)
    with transaction() as session:
        work = _apply(document, problems, options)
        problems.settle()
        if options.dry_run:
            session.rollback()
    if not options.dry_run:
        _follow_up(work)
    return Outcome(work.changes, work.notes, work.secrets)


def _follow_up(work: Work) -> None:
    """What the change sets going, after it is committed."""
    for adaptor_id in sorted(work.touched):
        preflight.refresh(adaptor_id, actor=ACTOR)
        rules.release_all_blocked(adaptor_id)
    for gateway_id in sorted(work.opened):
        gateways.release(gateway_id)
    if work.woken:
        bell.ring("convert")
        bell.ring("deliver")


def _apply(document: Document, problems: Problems, options: Options) -> Work:
    work = Work("", problems, options.prune)
    work.subscription_id = _subscription(work, document, options)
    # Two who configure one subscription take turns, pages too.
    adaptors.hold_names(work.subscription_id)
    _gateways(work, document.gateways)
    _adaptors(work, document.adaptors)
    db.session.flush()
    if work.moved:
        environments.hold_back(Delivery.subscription_id == work.subscription_id, ACTOR)
    _tell_of_unreachable(work)
    return work


def _subscription(work: Work, document: Document, options: Options) -> str:
    name = options.subscription or document.subscription
    try:
        return chosen(name).id
    except NoSubscription:
        if not (options.create_subscription and name):
            raise
    row = Subscription(id=new_id(), name=name[:200])
    db.session.add(row)
    db.session.flush()
    work.made(Subject(subscription=name), "new")
    return row.id


def _by_name(work: Work, rows: list[Any], what: str) -> dict[str, Any]:
    """Rows by name; complains where two share one, because a file could not tell them apart."""
    found: dict[str, Any] = {}
    for row in rows:
        if found.setdefault(row.name.strip(), row) is not row:
            text = Text(
                f"To har navnet »{row.name}«. Omdøb den ene.", f"Two are called “{row.name}”. Rename one of them."
            )
            work.problems.add(0, what, text)
    if len(found) < len(rows):
        work.problems.settle()
    return found


def _gateways(work: Work, entries: list[GatewayEntry]) -> None:
    rows = db.session.scalars(
        select(Gateway)
        .where(Gateway.subscription_id == work.subscription_id)
        .with_for_update(of=Gateway)
        .execution_options(populate_existing=True)
    )
    work.gateways = _by_name(work, list(rows), "gateways")
    for name in sorted(set(work.gateways) - {entry.name for entry in entries}) if work.prune else ():
        work.say(Subject(gateway=name), _NOT_IN_FILE)
    for entry in entries:
        _gateway(work, entry)
    db.session.flush()


_NOT_IN_FILE = Text("Står ikke i filen. Den er ikke rørt.", "Is not in the file. It was left alone.")


def _gateway(work: Work, entry: GatewayEntry) -> None:
    subject = Subject(gateway=entry.name)
    row = work.gateways.get(entry.name)
    is_changed = row is None
    if row is None:
        row = Gateway(
            id=new_id(), subscription_id=work.subscription_id, name=entry.name, kind=entry.kind,
            environment=entry.environment or Environment.LIVE, config={}, secrets={}, secret_references={},
        )  # fmt: skip
        db.session.add(row)
        work.gateways[entry.name] = row
        work.made(subject, f"new, {row.kind}, {row.environment}")
    elif row.kind != entry.kind:
        entry.section.complain(_other_kind(row.kind), "kind")
        return
    if entry.environment is not None and work.set(subject, row, "environment", entry.environment, "environment"):
        work.moved = is_changed = True
        if row.environment is Environment.TEST:
            work.opened.add(row.id)
    stored = Stored(f"gateway/{row.id}", row.config, row.secrets, row.secret_references)
    found = connect(work, subject, entry.connection, stored)
    if (found.config, found.secrets) != (row.config, row.secrets):
        is_changed = True
        # The clock reads them anew, and a gateway that rests is tried at once.
        row.expiries_at = row.retry_at = None
    has_new_secret = found.secrets != row.secrets
    row.config, row.secrets, row.secret_references = found.config, found.secrets, found.references
    if has_new_secret:
        credentials.note_given(row)
    # One that was stored before a rule came keeps no other change from being applied.
    if is_changed:
        judge(entry.connection, gateways.transport_class(row), found)


def _other_kind(kind: str) -> Text:
    return Text(
        f"Den er af arten {kind}, og det kan ikke ændres. Giv den nye et andet navn.",
        f"It is of the kind {kind}, which cannot be changed. Give the new one another name.",
    )


def _adaptors(work: Work, entries: list[AdaptorEntry]) -> None:
    rows = db.session.scalars(
        select(Adaptor)
        .where(Adaptor.subscription_id == work.subscription_id, Adaptor.deleted_at.is_(None))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    known = _by_name(work, list(rows), "adaptors")
    for name in sorted(set(known) - {entry.name for entry in entries}) if work.prune else ():
        work.say(Subject(adaptor=name), _NOT_IN_FILE)
    for entry in entries:
        row = known.get(entry.name) or _new_adaptor(work, entry)
        if row is None:
            continue
        if row.source_kind != entry.kind:
            entry.connection.section.complain(_other_kind(row.source_kind), "kind")
            continue
        before = len(work.changes)
        _adaptor(work, entry, row)
        if len(work.changes) > before or entry.name not in known:
            work.touched.add(row.id)


def _new_adaptor(work: Work, entry: AdaptorEntry) -> Adaptor | None:
    # As the pages see names: two that differ in large and small letters only would be mistaken for each other.
    same = adaptors.named(work.subscription_id, entry.name)
    errors = adaptors.name_errors(entry.name) or ({"name": adaptors.taken(entry.name)} if same else {})
    if errors:
        entry.section.complain(errors["name"], "name")
        return None
    row = Adaptor(
        id=new_id(), subscription_id=work.subscription_id, name=entry.name, description="", source_kind=entry.kind,
        environment=entry.columns.get("environment", Environment.LIVE), active=True, source_config={}, source_secrets={},
        secret_references={}, settings={}, new_customers=NewCustomers.ASK, start_date=today(),
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    work.made(Subject(adaptor=entry.name), f"new, {row.source_kind}, {row.environment}, from {row.start_date}")
    return row


def _adaptor(work: Work, entry: AdaptorEntry, row: Adaptor) -> None:
    subject = Subject(adaptor=entry.name)
    for column, word in _WORDS.items():
        if column in entry.columns and work.set(subject, row, column, entry.columns[column], word):
            _noticed(work, row, column)
    set_schedules(work, Subject(adaptor=entry.name), entry.schedules, row)
    _default_gateway(work, entry, row)
    stored = Stored(f"adaptor/{row.id}", row.source_config, row.source_secrets, row.secret_references)
    found = connect(work, subject, entry.connection, stored)
    row.source_config, row.source_secrets, row.secret_references = found.config, found.secrets, found.references
    _company(work, entry, row)
    set_settings(work, entry, row)
    set_customers(work, entry, row)


def _noticed(work: Work, row: Adaptor, column: str) -> None:
    """What follows from a column that was changed."""
    if column == "environment":
        work.moved = True
    elif column == "active":
        work.woken |= row.active


def _default_gateway(work: Work, entry: AdaptorEntry, row: Adaptor) -> None:
    if "default_gateway" in entry.columns:
        gateway = work.gateways.get(entry.default_gateway) if entry.default_gateway else None
        if entry.default_gateway and gateway is None:
            _complain_of_default(entry, "gateway", no_gateway(entry.default_gateway))
            return
        before = next((name for name, one in work.gateways.items() if one.id == row.default_gateway_id), None)
        row.default_gateway_id = gateway.id if gateway else None
        if before != entry.default_gateway:
            work.change(Subject(adaptor=entry.name), "defaults.gateway", before, entry.default_gateway)
    errors = adaptors.destination_errors(row, row.default_format or "", row.default_gateway_id or "")
    for name, text in errors.items():
        _complain_of_default(entry, name, text)


def _complain_of_default(entry: AdaptorEntry, name: str, text: Text) -> None:
    """What is wrong may be stored already, where the file does not speak of it."""
    defaults = entry.section.section("defaults")
    if defaults is None:
        entry.section.complain(text, f"defaults.{name}")
    else:
        defaults.complain(text, name)


def _company(work: Work, entry: AdaptorEntry, row: Adaptor) -> None:
    """The company that the file is about. What the source itself said goes before what the file says."""
    known, wanted = row.organization or {}, entry.company
    if wanted is not None and wanted["id"] and known.get("id") and known["id"] != wanted["id"]:
        section = entry.connection.section.section("company")
        if section is not None:
            name = known.get("name") or known["id"]
            section.complain(
                Text(
                    f"Adaptoren er forbundet med »{name}«. Skift virksomhed på siden Kilde, eller giv adaptoren et andet navn.",
                    f"The adaptor is connected to “{name}”. Change company on the Source page, or give the adaptor another name.",
                ),
                "id",
            )
        return
    found = dict(known)
    if wanted is not None and not known.get("id"):
        found |= wanted
        work.change(Subject(adaptor=entry.name), "source.company", None, wanted["name"] or wanted["id"])
    listed = {str(rate["id"]) for rate in known.get(TAX_RATES, ())}
    new_rates = [rate for rate in entry.rates if rate["id"] not in listed]
    if new_rates and row.source_checked_at is None:
        found[TAX_RATES] = [*known.get(TAX_RATES, ()), *new_rates]
    if found != known:
        row.organization = found


def _tell_of_unreachable(work: Work) -> None:
    """Customers that were moved to the test environment with their adaptor, while their gateway is live."""
    rows = db.session.execute(
        select(Adaptor.name, func.count())
        .join(ExportRule, ExportRule.adaptor_id == Adaptor.id)
        .join(Gateway, Gateway.id == ExportRule.gateway_id)
        .where(
            Adaptor.subscription_id == work.subscription_id, Adaptor.deleted_at.is_(None), ExportRule.active,
            Adaptor.environment == Environment.TEST, Gateway.environment == Environment.LIVE,
        )
        .group_by(Adaptor.name)
        .order_by(Adaptor.name)
    )  # fmt: skip
    for name, count in rows:
        work.say(
            Subject(adaptor=name),
            Text(
                f"{count} aktive kunder har en gateway i drift, og adaptoren er til test. Intet sendes til dem.",
                f"{count} active customers have a live gateway, and the adaptor is for tests. Nothing is sent to them.",
            ),
        )
