"""Questions to the registers, each answer kept as evidence with its time.

A young answer is not asked for again. "Could not ask" is kept too, but never stands in for an answer, and never hides
the last one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from invoiceapp.current import guard
from invoiceapp.discovery.base import SMP_OF, Answer, CouldNotAsk, Exchange, Register, Registered, Settings
from invoiceapp.discovery.client import Discovery
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network, ReceivingEndpoint, Service
from invoiceapp.gateways.base import registry
from invoiceapp.models import Gateway, Lookup, db, utcnow
from invoiceapp.outbound.guard import Guard
from invoiceapp.services.configuration.versions import version
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import text_dict
from invoiceapp.services.export import archive

from . import settings as lookup_settings
from .silence import SILENCE

log = logging.getLogger(__name__)

#: How long an answer counts; "not registered" is asked again soon, because customers register while we write to them.
MAX_AGE = timedelta(hours=24)
MAX_AGE_OF_NO = timedelta(hours=1)
WORKERS = 8
_LONGEST_QUESTION = 200
_LEFT_ALONE = Text(
    "Registret svarer ikke lige nu, så der spørges ikke mere i det næste minut. Slå op igen om lidt.",
    "The register does not answer just now, so nothing more is asked for a minute. Look up again in a while.",
)
_UNEXPECTED = Text(
    "Opslaget mislykkedes på grund af en fejl i programmet. Giv besked til den, der driver serveren.",
    "The look-up failed because of a fault in the program. Tell whoever runs the server.",
)


class Outcome(StrEnum):
    """The two answers, and that there is none."""

    REGISTERED = "registered"
    NOT_REGISTERED = "not_registered"
    COULD_NOT_ASK = "could_not_ask"


@dataclass(frozen=True, slots=True)
class Place:
    """Who asks, and where."""

    subscription_id: str
    settings: Settings
    guard: Guard

    def fingerprint(self, question: Question) -> str:
        """As ``Lookup.place``; of what roots prove, also by which roots."""
        if question.service is None:
            return lookup_settings.fingerprint(self.settings)
        return version(
            [lookup_settings.fingerprint(self.settings), self.settings.anchors.get(question.service.network)]
        )


def place_of(subscription_id: str) -> Place | None:
    """Where the subscription's network gateway looks up; None where it has none. Inside or outside a transaction."""
    kinds = [kind for kind, transport in registry().items() if not transport.sends]
    gateway = db.session.scalar(
        select(Gateway)
        .where(Gateway.subscription_id == subscription_id, Gateway.kind.in_(kinds))
        .order_by(Gateway.id)
        .limit(1)
    )
    return None if gateway is None else place_at(gateway)


def place_at(gateway: Gateway) -> Place:
    """Where one gateway looks up."""
    return Place(gateway.subscription_id, lookup_settings.of_gateway(gateway), guard())


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one register."""

    register: Register
    subject: Participant | str
    """A participant, a CVR number, or a name"""
    network: Network | None = None
    service: Service | None = None
    """Of a question for an endpoint"""
    country: str | None = None
    """Of a question by name"""

    @property
    def text(self) -> str:
        """As ``Lookup.question``."""
        more = self.country or (self.service and str(self.service.document_id)) or ""
        return f"{self.subject} {more}".strip()[:_LONGEST_QUESTION]

    def ask(self, discovery: Discovery) -> tuple[Answer, ReceivingEndpoint | None]:
        """Raises ``CouldNotAsk``."""
        if self.service is not None and self.network is not None and isinstance(self.subject, Participant):
            endpoint, answer = discovery.endpoint(self.network, self.subject, self.service)
            return answer, endpoint
        if isinstance(self.subject, Participant):
            if self.network is not None:
                return discovery.registration(self.network, self.subject), None
            return discovery.receiver(self.subject), None
        if self.register is Register.DIRECTORY:
            return discovery.named(self.subject, self.country), None
        return discovery.company(self.subject), None


def company(cvr: str) -> Question:
    """All participants of a Danish company."""
    return Question(Register.NEMHANDELSREGISTERET, cvr)


def receiver(participant: Participant) -> Question:
    """One participant in NemHandelsregisteret."""
    return Question(Register.NEMHANDELSREGISTERET, participant)


def registration(network: Network, participant: Participant) -> Question:
    """One participant's document types in a network."""
    return Question(SMP_OF[network], participant, network)


def endpoint(network: Network, participant: Participant, service: Service) -> Question:
    """Where a participant takes a service."""
    return Question(SMP_OF[network], participant, network, service)


def named(name: str, country: str | None = None) -> Question:
    """Participants by name, to suggest."""
    return Question(Register.DIRECTORY, name, country=country)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about a question."""

    outcome: Outcome
    found: tuple[Registered, ...] = ()
    company_name: str | None = None
    endpoint: ReceivingEndpoint | None = None
    text: Text | None = None
    """Why nobody could be asked"""
    asked_at: datetime | None = None
    """When it was last said"""
    lookup_id: str | None = None

    @property
    def is_registered(self) -> bool:
        """A proven yes."""
        return self.outcome is Outcome.REGISTERED

    @property
    def is_unclear(self) -> bool:
        """Neither yes nor no."""
        return self.outcome is Outcome.COULD_NOT_ASK


def ask(place: Place, question: Question, *, max_age: timedelta = MAX_AGE, fresh: bool = False) -> Known:
    """One question; see ``ask_many``."""
    return ask_many(place, [question], max_age=max_age, fresh=fresh, workers=1)[question]


def ask_many(
    place: Place, questions: Sequence[Question], *, max_age: timedelta = MAX_AGE, fresh: bool = False,
    workers: int = WORKERS,
) -> dict[Question, Known]:  # fmt: skip
    """What the registers say, side by side; see ``ask_on``."""
    return ask_on(place, lambda _known: questions, max_age=max_age, fresh=fresh, workers=workers)


def ask_on(
    place: Place, follow: Callable[[Mapping[Question, Known]], Iterable[Question]], *, max_age: timedelta = MAX_AGE,
    fresh: bool = False, workers: int = WORKERS, until: float | None = None,
) -> dict[Question, Known]:  # fmt: skip
    """Questions that lead to others: ``follow`` names what is wanted by what is known so far, until that is all.

    Young answers come from what is kept. Never raises for a register. No transaction may be open: threads ask, the
    caller's thread alone reads and writes the database. ``until``: monotonic time after which nothing more is begun.
    """
    known: dict[Question, Known] = {}
    pending: dict[Future[_Said], Question] = {}
    where = lookup_settings.fingerprint(place.settings)
    with _discoveries(place) as own, ThreadPoolExecutor(workers, thread_name_prefix="lookup") as pool:
        while True:
            waited_for = {*known, *pending.values()}
            wanted = [question for question in dict.fromkeys(follow(known)) if question not in waited_for]
            if until is not None and time.monotonic() > until:
                wanted = []
            kept = {} if fresh or not wanted else _kept(place, wanted, max_age)
            known |= kept
            for question in wanted:
                if question not in kept:
                    pending[pool.submit(lambda one: _ask(own(), one, where), question)] = question
            if kept:
                continue
            if not pending:
                return known
            for done in wait(pending, return_when=FIRST_COMPLETED).done:
                question = pending.pop(done)
                known[question] = _keep(place, question, done.result())


@dataclass(frozen=True, slots=True)
class _Said:
    """What came back, from the thread that asked."""

    answer: Answer | None = None
    endpoint: ReceivingEndpoint | None = None
    text: Text | None = None
    detail: str = ""
    exchanges: tuple[Exchange, ...] = ()


@contextmanager
def _discoveries(place: Place) -> Iterator[Any]:
    """A ``Discovery`` for each thread; all are closed at the end."""
    local, opened = threading.local(), list[Discovery]()

    def own() -> Discovery:
        if not hasattr(local, "discovery"):
            local.discovery = Discovery(place.settings, place.guard)
            opened.append(local.discovery)
        found: Discovery = local.discovery
        return found

    try:
        yield own
    finally:
        for discovery in opened:
            discovery.close()


def _ask(discovery: Discovery, question: Question, where: str) -> _Said:
    if SILENCE.is_left_alone(where, question.register):
        return _Said(text=_LEFT_ALONE, detail=f"{question.register} has not answered several times in a row")
    said = _said(discovery, question)
    SILENCE.note(where, question.register, answered=said.answer is not None)
    return said


def _said(discovery: Discovery, question: Question) -> _Said:
    try:
        answer, found = question.ask(discovery)
    except CouldNotAsk as error:
        return _Said(text=error.text, detail=error.detail, exchanges=error.exchanges)
    except Exception as error:
        # One answer that our code trips over keeps no other from being asked.
        log.exception("the look-up of %s met an unexpected error", question.text)
        return _Said(text=_UNEXPECTED, detail=type(error).__name__)
    return _Said(answer, found, exchanges=answer.exchanges)


def _kept(place: Place, questions: Sequence[Question], max_age: timedelta) -> dict[Question, Known]:
    now, found = utcnow(), {}
    with transaction():
        for question in questions:
            row = _newest(place, question, Lookup.outcome != Outcome.COULD_NOT_ASK)
            if row is None:
                continue
            limit = max_age if row.outcome == Outcome.REGISTERED else min(max_age, MAX_AGE_OF_NO)
            if row.confirmed_at > now - limit:
                found[question] = _known(row)
    return found


def _newest(place: Place, question: Question, *which: Any) -> Lookup | None:
    return db.session.scalar(
        select(Lookup)
        .where(
            Lookup.subscription_id == place.subscription_id, Lookup.place == place.fingerprint(question),
            Lookup.register == question.register, Lookup.question == question.text, *which,
        )
        .order_by(Lookup.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )  # fmt: skip


def _known(row: Lookup) -> Known:
    answer: Mapping[str, Any] = row.answer
    if row.outcome == Outcome.COULD_NOT_ASK:
        return Known(
            Outcome.COULD_NOT_ASK, text=Text(answer["da"], answer["en"]), asked_at=row.confirmed_at, lookup_id=row.id
        )
    stored = answer.get("endpoint")
    return Known(
        Outcome(row.outcome),
        tuple(Registered.from_dict(one) for one in answer.get("found", ())),
        answer.get("company_name"),
        ReceivingEndpoint.from_dict(stored).asked(row.confirmed_at) if stored else None,
        asked_at=row.confirmed_at,
        lookup_id=row.id,
    )  # fmt: skip


def _keep(place: Place, question: Question, said: _Said) -> Known:
    """A new row for a new answer; the same as the last one only confirms it."""
    outcome, answer = _stored(said, question)
    exchanges = [
        {"asked": one.asked[:500], "at": one.at.isoformat(), "outcome": one.outcome[:60], "sha256": _archived(one)}
        for one in said.exchanges
    ]
    with transaction() as session:
        row = _newest(place, question)
        if row is not None and row.outcome == outcome and _without_time(row.answer) == _without_time(answer):
            row.confirmed_at, row.times = utcnow(), row.times + 1
        else:
            row = Lookup(
                subscription_id=place.subscription_id, place=place.fingerprint(question), register=question.register.value,
                question=question.text, outcome=outcome.value, answer=answer, exchanges=exchanges, confirmed_at=utcnow(), times=1,
            )  # fmt: skip
            session.add(row)
            session.flush()
        return _known(row)


def _without_time(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An endpoint is confirmed, not changed, by being asked for again."""
    kept = dict(answer)
    if kept.get("endpoint"):
        kept["endpoint"] = {name: value for name, value in kept["endpoint"].items() if name != "asked_at"}
    kept.pop("detail", None)
    return kept


def _stored(said: _Said, question: Question) -> tuple[Outcome, dict[str, Any]]:
    if said.answer is None:
        return Outcome.COULD_NOT_ASK, text_dict(said.text or _UNEXPECTED, detail=said.detail[:500])
    is_yes = said.endpoint is not None if question.service else said.answer.is_registered
    answer: dict[str, Any] = {
        "found": [one.to_dict() for one in said.answer.found],
        "company_name": said.answer.company_name,
    }
    if said.endpoint is not None:
        answer["endpoint"] = said.endpoint.to_dict()
    return (Outcome.REGISTERED if is_yes else Outcome.NOT_REGISTERED), answer


def _archived(exchange: Exchange) -> str | None:
    """The bytes' hash once they lie in the archive; a look-up counts also where they cannot be kept."""
    if not exchange.content:
        return None
    try:
        return archive.store(exchange.content)
    except archive.ArchiveUnavailable:
        log.warning("an answer of a register could not be archived")
        return None
