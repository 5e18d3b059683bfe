"""What each part of an export costs alone: the figures from which the limit is computed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

from sqlalchemy import delete, update

from invoiceapp.current import config
from invoiceapp.domain.settings import Settings
from invoiceapp.formats.base import registry
from invoiceapp.gateways.base import Consignment, Payload
from invoiceapp.models import Adaptor, Event, Gateway, db
from invoiceapp.services.configuration import gateways, sources
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive, events
from invoiceapp.services.export.rendering import render
from invoiceapp.services.export.validators import validator
from invoiceapp.sources.base import DocumentQuery
from invoiceapp.sources.billy.source import BillySource

from .books import company
from .product import FORMAT

#: Documents whose parts are measured at most; transactions for each of them.
_SAMPLE, _TRANSACTIONS = 100, 3
#: As long as a PDF of the stand-in.
_PDF = b"%PDF-1.4\n" + b"x" * 1_500


@dataclass(frozen=True, slots=True)
class Part:
    """Milliseconds for one, by the clock on the wall and of one core."""

    wall: float
    cpu: float


def _each(work: Callable[[Any], object], items: list[Any]) -> Part:
    """After a warm-up by the first tenth."""
    warming = max(len(items) // 10, 1)
    for item in items[:warming]:
        work(item)
    wall, cpu = time.perf_counter(), time.process_time()
    for item in items[warming:]:
        work(item)
    number = (len(items) - warming) / 1_000
    return Part((time.perf_counter() - wall) / number, (time.process_time() - cpu) / number)


def samples(documents: int) -> list[dict[str, Any]]:
    """Bundles of documents as the stand-in's books have them, as many as can be measured in a moment."""
    books = company(min(documents, _SAMPLE), date.today())
    return [books.bundle(one) for one in books.tables["invoices"]]


def convert(bundles: list[dict[str, Any]]) -> Part:
    """Map, check by built-in rules, write, validate by every rule set, and archive the bytes and a PDF of its own."""
    validator().warm(list(registry().values()))
    fmt, settings, numbers = registry()[FORMAT], Settings(), count()

    def work(bundle: dict[str, Any]) -> None:
        rendered = render(BillySource, bundle, settings, fmt, validator())
        if not rendered.may_leave or rendered.content is None:
            raise SystemExit(f"a document of the benchmark is not valid: {[one.rule for one in rendered.findings]}")
        archive.store(_PDF + str(next(numbers)).encode())
        archive.store(rendered.content)

    return _each(work, bundles)


def written(bundles: list[dict[str, Any]]) -> list[bytes]:
    """The e-invoices."""
    fmt, settings = registry()[FORMAT], Settings()
    return [render(BillySource, one, settings, fmt, validator()).content or b"" for one in bundles]


def send(gateway_id: str, contents: list[bytes]) -> Part:
    """One connection: wire ids and ``Transport.send`` with all its proofs."""
    with transaction():
        transport = gateways.open_transport(db.session.get_one(Gateway, gateway_id))
    numbers = count(1)

    def work(content: bytes) -> None:
        number = next(numbers)
        consignment = Consignment(
            f"{number:032x}", Payload(content, f"alone-{number}.xml", "application/xml; charset=utf-8"), format=FORMAT,
            document_no=str(number), sender_name="Ærø Brød ApS", receiver_name="Kunde A/S",
        )  # fmt: skip
        transport.wire_ids(consignment)
        transport.send(consignment)

    with transport:
        return _each(work, contents)


def transactions(adaptor_id: str, documents: int) -> Part:
    """A row changed, an event added, committed: what every step of a delivery does at least."""
    with transaction() as session:
        subscription_id = session.get_one(Adaptor, adaptor_id).subscription_id

    def work(number: int) -> None:
        with transaction() as session:
            session.execute(update(Adaptor).where(Adaptor.id == adaptor_id).values(name=Adaptor.name))
            events.record("benchmark", subscription_id=subscription_id, number=number)

    part = _each(work, list(range(_TRANSACTIONS * min(documents, _SAMPLE))))
    with transaction() as session:
        session.execute(delete(Event).where(Event.kind == "benchmark"))
    return part


def rule_sets() -> str:
    """By which rules documents are judged here."""
    installed = config().rules_dir.is_dir() and any(config().rules_dir.iterdir())
    return "official rules" if installed else "built-in rules, XSD and the bundled EN 16931"


def make_answers_ready(adaptor_id: str) -> None:
    """Have the stand-in make its lists once, so that it only repeats them while the product is measured."""
    with transaction() as session:
        adaptor = session.get_one(Adaptor, adaptor_id)
        opened = sources.open_source(adaptor)
    with opened as source:
        for one in source.documents(DocumentQuery()):
            last = one.id
        source.already_sent(last)
