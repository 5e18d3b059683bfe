"""Looking 300 customers up in registers that take 100 ms for each answer: ``python -m benchmarks.network``.

Everything is real but the distance: name server, signing SMP, NemHandelsregisteret and the Directory are the demo's, the
job runs in its slices, and each answer is kept as evidence.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from invoiceapp.demo.billy.numbers import cvr, gln
from invoiceapp.demo.networks.population import INVOICES, Condition, Listing, Population
from invoiceapp.demo.networks.serve import Networks, serve_networks
from invoiceapp.domain.identifiers import CVR, GLN, SWEDISH, Participant
from invoiceapp.domain.network import Network
from invoiceapp.jobs.tasks import HANDLERS
from invoiceapp.models import Adaptor, Customer, Gateway, Job, JobState, Lookup, Subscription, db, new_id
from invoiceapp.outbound.guard import networks as parsed
from invoiceapp.services import background, bell
from invoiceapp.services.reach import matching

from . import results
from .customers import application

CUSTOMERS = 300
LATENCY = 0.1
#: Seconds.
GOAL = 40
_SWEDISH = "5560125790"


def _listings() -> tuple[list[Listing], list[dict[str, Any]]]:
    """Who is registered, and the customers: public bodies by GLN, companies by CVR, some abroad, some nowhere."""
    listings, customers = [], []
    for number in range(CUSTOMERS):
        name, company = f"Kunde {number:03} A/S", cvr(10_000 + number)
        row: dict[str, Any] = {"name": name, "country": "DK", "registration_no": company, "gln": None}
        network, participant = Network.PEPPOL, Participant(CVR, company)
        if number % 3 == 0:
            row["gln"] = gln(100_000 + number)
            network, participant = Network.NEMHANDEL, Participant(GLN, row["gln"])
        if number % 20 == 7:
            row |= {"country": "SE", "registration_no": _SWEDISH}
            participant = Participant(SWEDISH, _SWEDISH)
        customers.append(row)
        if number % 5 != 4:
            offers = tuple(one for one in INVOICES if one.network is network)
            condition = Condition.MOVED if number % 50 == 1 else Condition.GOOD
            listings.append(Listing(participant, name, offers, company, row["country"], condition))
    return listings, customers


def _build(networks: Networks, customers: list[dict[str, Any]]) -> str:
    subscription = Subscription(name="Bench ApS")
    db.session.add(subscription)
    db.session.flush()
    config = {
        "lookup": "own", "name_server": networks.name_server, "register_url": networks.register_url,
        "directory_url": networks.directory_url, "lookup_ca": networks.pki.root,
        **{f"{network.value}_zone": zone for network, zone in networks.zones.items()},
        **{f"{network.value}_anchors": networks.pki.root for network in Network},
    }  # fmt: skip
    found = Gateway(subscription_id=subscription.id, name="Netværk", kind="network", config=config, secrets={})
    sends = Gateway(subscription_id=subscription.id, name="Sproom", kind="sproom", config={}, secrets={})
    adaptor = Adaptor(subscription_id=subscription.id, name="Billy", source_kind="billy", organization={"id": "o"})
    db.session.add_all((found, sends, adaptor))
    db.session.flush()
    owner = {"subscription_id": subscription.id, "adaptor_id": adaptor.id, "raw": {}}
    rows = [{**owner, **row, "id": new_id(), "source_id": str(number)} for number, row in enumerate(customers)]
    db.session.execute(insert(Customer), rows)
    db.session.commit()
    return adaptor.id


def _check(adaptor_id: str) -> dict[str, Any]:
    started = time.perf_counter()
    job_id = matching.start(adaptor_id, "bench@example.com")
    while background.execute(job_id, HANDLERS):
        pass
    took = time.perf_counter() - started
    job = db.session.get_one(Job, job_id, populate_existing=True)
    report = matching.report_of(job.result)
    if job.state is not JobState.FINISHED or report.checked != CUSTOMERS or report.errors:
        raise SystemExit(f"the check did not end well: {job.state} {report}")
    questions = db.session.scalar(select(func.count()).select_from(Lookup))
    return {"seconds": took, "questions": questions, "found": report.found, "not_found": report.not_found}


def measure() -> dict[str, Any]:
    """Seconds, questions, and what was found."""
    bell.ring = lambda *_arguments, **_options: None
    listings, customers = _listings()
    population = Population(
        listings, {row["registration_no"]: row["name"] for row in customers}, "https://ap.demo.test/as4"
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_networks(Path(folder) / "networks", population=population) as networks,
    ):
        app = application(Path(folder), None, outbound_networks=parsed(["127.0.0.0/8"]))
        for switch in networks.switches.all():
            switch.latency = LATENCY
        with app.app_context():
            db.create_all()
            found = _check(_build(networks, customers))
            db.session.remove()
            db.engine.dispose()
    return found


def show(figures: dict[str, Any]) -> None:
    """Print the line."""
    verdict = "reached" if figures["seconds"] <= GOAL else "MISSED"
    print(
        f"\nlooking up {CUSTOMERS} customers at {LATENCY * 1_000:.0f} ms an answer: {figures['seconds']:.1f} s, "
        f"{figures['questions']} questions, {figures['found']} found, {figures['not_found']} not registered  "
        f"goal {GOAL} s: {verdict}"
    )  # fmt: skip


if __name__ == "__main__":
    results.no_arguments(__doc__)
    _figures = measure()
    show(_figures)
    results.write("network", results.command(), [{**_figures, "customers": CUSTOMERS, "goal_seconds": GOAL}])
