"""What was found out earlier: the look-ups about one customer with the registers' own words, and what the last night brought."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from invoiceapp.domain.network import SERVICES
from invoiceapp.models import Adaptor, Customer, Job, Lookup, db, utcnow
from invoiceapp.services.export import archive

from . import asking, gathering, lookups, matching
from .candidates import candidates
from .lookups import Question
from .queries import Check
from .routes import Route

#: Look-ups of one customer that a page shows.
MOST = 60
#: Characters of an answer that a page shows.
LONGEST = 100_000
#: A nightly check is news for so long.
_NEWS = timedelta(hours=36)
#: Jobs among which the nightly one is looked for: a person starts a few a day.
_MOST_JOBS = 20


@dataclass(frozen=True, slots=True)
class Said:
    """What a register answered to one question for a time."""

    lookup: Lookup
    is_latest: bool
    """Nothing newer was said to the same question"""


def of_customer(customer_id: str) -> list[Said]:
    """The look-ups about one customer where it is looked up today, newest first."""
    customer = db.session.get_one(Customer, customer_id)
    adaptor = db.session.get_one(Adaptor, customer.adaptor_id)
    network = gathering.network_gateway(adaptor)
    if network is None:
        return []
    place = lookups.place_at(network)
    questions = _questions(adaptor, customer)
    rows = db.session.scalars(
        select(Lookup)
        .where(
            Lookup.subscription_id == place.subscription_id,
            Lookup.place.in_({place.fingerprint(question) for question in questions}),
            Lookup.question.in_({question.text for question in questions}),
        )
        .order_by(Lookup.confirmed_at.desc(), Lookup.id.desc())
        .limit(MOST)
    )  # fmt: skip
    found, seen = [], set[tuple[str, str]]()
    for row in rows:
        found.append(Said(row, (row.register, row.question) not in seen))
        seen.add((row.register, row.question))
    return found


def _questions(adaptor: Adaptor, customer: Customer) -> list[Question]:
    """By the company's number, by each address, by name."""
    facts = gathering.facts(adaptor, customer)
    match = gathering.matches([customer.id]).get(customer.id)
    stored = [*match.routes, *filter(None, (match.pinned, match.accepted))] if match else []
    addresses = {one.participant for one in candidates(facts)}
    addresses |= {route.participant for route in map(Route.from_dict, stored) if route.participant is not None}
    found = [asking.by_name(facts), *map(lookups.receiver, addresses)]
    found += [lookups.endpoint(one.network, address, one) for address in addresses for one in SERVICES]
    return [*found, *([lookups.company(facts.cvr)] if facts.cvr else [])]


def answer(lookup: Lookup, number: int) -> str | None:
    """What came back in the ``number``-th exchange, as text, cut at ``LONGEST``; None where nothing did.

    Raises ``ArchiveCorrupt``, ``ArchiveUnavailable``.
    """
    if not 0 <= number < len(lookup.exchanges):
        return None
    sha256 = lookup.exchanges[number]["sha256"]
    return archive.load(sha256).decode("utf-8", "replace")[:LONGEST] if sha256 else None


def last_night(adaptor_id: str) -> Check | None:
    """The newest nightly check that has ended, while it is news."""
    jobs = db.session.scalars(
        select(Job)
        .where(Job.adaptor_id == adaptor_id, Job.kind == matching.KIND, Job.finished_at > utcnow() - _NEWS)
        .order_by(Job.id.desc())
        .limit(_MOST_JOBS)
    )
    job = next((one for one in jobs if one.parameters.get("nightly")), None)
    return None if job is None else Check(job, False, matching.report_of(job.result))
