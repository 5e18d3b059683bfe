"""A month-end day of 1 000 companies with 2 000 invoices a month, simulated: ``python -m benchmarks.simulation``.

The service times are those that were measured (``build/bench``), else those of ``Costs``. ``export-DATABASE.json`` is the
test of the model: fed with the parts of the export benchmark it must predict its documents a second. Then the sizes of installations are
looked for: the fewest workers with which 95 of 100 documents are delivered soon after the run that finds them begins.
"""

from __future__ import annotations

import bisect
import json
import math
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from . import results
from .measure import QUICK
from .queueing import Job, Model, Outcome, Stage, Step, Worker, quantile, utilisation

COMPANIES, INVOICES = 1_000, 2_000
#: Invoices a month, all companies together.
SIZES = (1_000, 20_000, 200_000, 2_000_000)
#: Part of a month's invoices on each of its last two and first two working days.
PEAK_DAY = 0.10
#: When they are booked: the part of the day by hour, from 7 to 18.
HOURS = {7: 4, 8: 9, 9: 12, 10: 13, 11: 11, 12: 6, 13: 11, 14: 12, 15: 11, 16: 7, 17: 3, 18: 1}
#: How often companies look, and the part of them: minutes between two runs, from midnight.
SCHEDULES = ((15, 0.25), (60, 0.60), (360, 0.15))
#: Partners: part that answers slowly, seconds more; part that is away, from, until (seconds of the day).
SLOW, SLOW_SECONDS = 0.03, 2.0
AWAY, AWAY_FROM, AWAY_UNTIL = 0.01, 10 * 3600, 11 * 3600
TIME_OUT = 30.0
#: As ``domain.delivery.RETRY_PLAN`` and ``export.breaker`` have it.
RETRIES = (30, 300, 1_800, 7_200, 21_600, 43_200, 86_400)
OPENS_AFTER, RESTS = 5, (60, 120, 300, 600, 1_800)
CREDIT_NOTES = 0.04
#: Lines of a document: log-normal, half of them no longer than this.
MEDIAN_LINES, SPREAD, MOST_LINES = 5, 1.0, 4_000
#: Seconds after the start of a run within which 95 of 100 documents are delivered: what sizes are looked for.
TARGET = 600.0
CORES = 4
#: Of what a worker does around writing, validating and sending: the part that belongs to conversions, as its profile says.
CONVERTING = 2 / 3
#: Part of the documents by gateway.
GATEWAYS = {"SFTP": 0.3, "HTTP": 0.3, "AS2": 0.2, "SMTP": 0.2}


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one document in each stage; the defaults were measured on two shared cores."""

    fetch_cpu: float = 0.002
    fetch_wait: float = 0.05
    """Its PDF, at the source's latency, shared by what is fetched at once"""
    convert: tuple[tuple[int, float], ...] = ((1, 0.0033), (10, 0.0059), (100, 0.03), (1_000, 0.26), (4_000, 1.04))
    """Core seconds of the whole chain by lines"""
    convert_more: float = 0.006
    """Transactions, settings and archive"""
    deliver: dict[str, float] = field(
        default_factory=lambda: {"SFTP": 0.0022, "HTTP": 0.0008, "AS2": 0.003, "SMTP": 0.0044}
    )
    partner: float = 0.1
    """What the distance to a partner and its own work add"""
    deliver_more: float = 0.008
    worker_mb: float = 345.0
    document_bytes: float = 3_700.0

    def converting(self, lines: int) -> float:
        """Between two measured sizes on the line that joins them."""
        place = min(max(bisect.bisect_left(self.convert, (lines, 0.0)), 1), len(self.convert) - 1)
        (x1, y1), (x2, y2) = self.convert[place - 1], self.convert[place]
        return max(y1 + (y2 - y1) * (lines - x1) / (x2 - x1), 0.0) + self.convert_more


def _figures(name: str) -> dict[str, Any]:
    path = results.FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def measured() -> Costs:
    """``Costs`` with what lies in ``build/bench``."""
    costs = Costs()
    chain = sorted(
        (row["lines"], 1 / row["median"])
        for row in _figures("validate").get("rows", ())
        if row["layer"] == "whole chain, peppol-bis-3"
    )
    sends = {row["kind"]: 1 / row["median"] for row in _figures("gateways").get("rows", ())}
    memory = [row["final_mb"] for row in _figures("memory").get("rows", ())]
    exports = [row for name in ("postgresql", "sqlite") for row in _figures(f"export-{name}").get("rows", ())]
    more = statistics.median(map(_around, exports)) / 1_000 if exports else None
    size = _figures("nightly-postgresql").get("bytes_each") or costs.document_bytes
    return replace(
        costs,
        convert=tuple(chain) or costs.convert,
        convert_more=costs.convert_more if more is None else more * CONVERTING,
        deliver={name: sends.get(name, seconds) for name, seconds in costs.deliver.items()},
        deliver_more=costs.deliver_more if more is None else more * (1 - CONVERTING),
        worker_mb=float(memory[0]) if memory else costs.worker_mb,
        document_bytes=float(size),
    )


def _around(row: Mapping[str, Any]) -> float:
    """Milliseconds of a worker's core for a document of the export benchmark, beside writing, validating and the send itself."""
    parts = row["parts"]
    return max(float(row["worker_cpu_ms"] - parts["convert"]["cpu"] - parts["send"]["cpu"]), 0.0)


@dataclass(slots=True)
class Partner:
    """One company's receiving machine."""

    gateway: str
    slower: float = 0.0
    is_away: bool = False
    failures: int = 0
    rests_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Day:
    """What happens: documents of companies on one day, and their partners."""

    jobs: list[Job]
    partners: list[Partner]


def day(companies: int, documents: int, seed: int, *, slow: float = SLOW, away: float = AWAY) -> Day:
    """A month-end day. Half of a company's documents are booked together in one go, as companies do at the month's end.

    The sizes of companies are log-normal; credit notes count as documents like others, of a line or two.
    """
    dice = random.Random(seed)
    weights = [dice.lognormvariate(0, 1) for _ in range(companies)]
    schedules = dice.choices([minutes for minutes, _ in SCHEDULES], [part for _, part in SCHEDULES], k=companies)
    gateways = dice.choices(list(GATEWAYS), list(GATEWAYS.values()), k=companies)
    partners = []
    for number, gateway in enumerate(gateways):
        lot = (number * 0.618_034 + dice.random() * 1e-9) % 1
        partners.append(Partner(gateway, SLOW_SECONDS if away <= lot < away + slow else 0.0, lot < away))
    together = [_booked(dice) for _ in range(companies)]
    jobs = []
    for company in dice.choices(range(companies), weights, k=documents):
        booked = together[company] if dice.random() < 0.5 else _booked(dice)
        every = schedules[company] * 60
        started = math.ceil(booked / every) * every
        jobs.append(Job(str(company), booked, _lines(dice), company, float(started)))
    return Day(jobs, partners)


def _booked(dice: random.Random) -> float:
    hour = dice.choices(list(HOURS), list(HOURS.values()))[0]
    return (hour + dice.random()) * 3600


def _lines(dice: random.Random) -> int:
    if dice.random() < CREDIT_NOTES:
        return dice.choice((1, 2))
    return min(max(round(MEDIAN_LINES * dice.lognormvariate(0, SPREAD)), 1), MOST_LINES)


def stages(costs: Costs, partners: Sequence[Partner]) -> list[Stage]:
    """Fetch, convert and deliver as the product does them."""

    def fetch(_: Job, __: float) -> Step:
        return Step(costs.fetch_cpu, costs.fetch_wait)

    def convert(job: Job, _: float) -> Step:
        return Step(costs.converting(job.lines))

    def deliver(job: Job, now: float) -> Step:
        partner = partners[job.partner]
        if now < partner.rests_until:
            # Not claimed at all while its gateway rests.
            return Step(0.0, 0.0, partner.rests_until - now)
        if partner.is_away and AWAY_FROM <= now < AWAY_UNTIL:
            return _refused(job, partner, now, costs)
        partner.failures = 0
        return Step(costs.deliver[partner.gateway] + costs.deliver_more, costs.partner + partner.slower)

    return [Stage("fetch", fetch, batch=None), Stage("convert", convert), Stage("deliver", deliver)]


def _refused(job: Job, partner: Partner, now: float, costs: Costs) -> Step:
    """A try that nobody answers: the worker waits for the time-out, the document for its next try."""
    partner.failures += 1
    over = partner.failures - OPENS_AFTER
    if over >= 0:
        partner.rests_until = now + TIME_OUT + RESTS[min(over, len(RESTS) - 1)]
    again = RETRIES[min(job.tries, len(RETRIES) - 1)]
    job.tries += 1
    return Step(costs.deliver_more, TIME_OUT, again)


def crew(fetch: int, convert: int, deliver: int) -> list[Worker]:
    """Workers by kind, spread over as many hosts as they need: a core for each that converts, a quarter for others."""
    kinds = [*["convert"] * convert, *["deliver"] * deliver, *["fetch"] * fetch]
    hosts = hosts_for(fetch, convert, deliver)
    return [Worker((kind,), number % hosts) for number, kind in enumerate(kinds)]


def hosts_for(fetch: int, convert: int, deliver: int) -> int:
    """Machines of ``CORES`` cores."""
    return max(math.ceil((convert + (fetch + deliver) / 4) / CORES), 1)


def simulate(today: Day, costs: Costs, workers: Sequence[Worker], seed: int = 1) -> Outcome:
    """One day, to the end of its last delivery."""
    return Model(stages(costs, today.partners), workers, cores=CORES).run(today.jobs, seed)


def _since_run(job: Job) -> float:
    return job.started


def row(name: str, outcome: Outcome, workers: Sequence[Worker]) -> dict[str, Any]:
    """A line of the table: minutes from booking to delivery, and from the start of the run that found the document."""
    booked, run = outcome.seconds(), outcome.seconds(_since_run)
    busiest = 12 * 3600.0  # the working day
    used = utilisation(outcome, workers, busiest)
    return {
        "case": name, "documents": len(outcome.jobs),
        "deepest_queue": max(int(depth) for points in outcome.depth.values() for _, depth in points),
        **{f"p{part * 100:g}_min": quantile(booked, part) / 60 for part in (0.5, 0.95, 0.99)}, "worst_min": booked[-1] / 60,
        "p95_since_the_run_min": quantile(run, 0.95) / 60,
        **{f"{kind}_busy": f"{part:.0%}" for kind, part in used.items()},
    }  # fmt: skip


def size(invoices: int, costs: Costs) -> tuple[dict[str, Any], list[Worker]]:
    """The fewest workers for so many invoices a month, and what they need."""
    companies = max(round(invoices / INVOICES), 1)
    documents = max(round(invoices * PEAK_DAY), 1)
    today = day(companies, documents, seed=17)
    counts = {"fetch": 1, "convert": 1, "deliver": 1}
    while True:
        workers = crew(**counts)
        outcome = simulate(_again(today), costs, workers)
        reached = quantile(outcome.seconds(_since_run), 0.95)
        if reached <= TARGET or sum(counts.values()) > 200:
            break
        used = utilisation(outcome, workers, outcome.ended)
        most = max(used, key=lambda kind: used[kind])
        counts[most] += max(counts[most] // 2, 1)
    hosts = hosts_for(**counts)
    web = max(2 * math.ceil(companies / 500), 2)
    memory = (len(workers) + 1) * costs.worker_mb + web * 250 + 200
    found = {
        "invoices_a_month": invoices, "companies": companies, "documents_on_the_peak_day": len(today.jobs),
        f"hosts_of_{CORES}_cores": hosts, "web": web, **counts, "notify_and_work": 1,
        "memory_GB": memory / 1024, "database_GB_a_year": invoices * 12 * costs.document_bytes / 1e9,
        "p95_min": reached / 60,
    }  # fmt: skip
    return found, workers


def _again(today: Day) -> Day:
    """The same day before anything happened."""
    jobs = [replace(job, done=-1.0, tries=0) for job in today.jobs]
    return Day(jobs, [replace(partner, failures=0, rests_until=0.0) for partner in today.partners])


def predicted(parts: dict[str, float], workers: int, cores: int, documents: int = 1_000) -> float:
    """Documents a second of one export: one company, workers that do everything, ``parts`` in seconds of a document.

    ``<stage>_cpu`` and ``<stage>_wait`` of fetch, convert and deliver; ``background``: cores that stand-ins and servers use.
    """

    def stage(name: str, batch: int | None) -> Stage:
        step = Step(parts.get(f"{name}_cpu", 0.0), parts.get(f"{name}_wait", 0.0))
        return Stage(name, lambda _job, _now: step, batch)

    model = Model(
        [stage("fetch", None), stage("convert", 20), stage("deliver", 20)],
        [Worker(("fetch", "convert", "deliver"))] * workers,
        cores=cores,
        background=parts.get("background", 0.0),
    )
    outcome = model.run([Job("1", 0.0) for _ in range(documents)])
    return documents / outcome.ended


def flat(parts: dict[str, Any], around: float) -> dict[str, float]:
    """The parts that ``benchmarks.export`` has measured (milliseconds of a document), as ``predicted`` wants them.

    ``around`` is as ``_around`` has it. Half of the waiting for transactions belongs to the conversion, half to the delivery.
    """
    convert, send, commit = parts["convert"], parts["send"], parts["commit"]
    waits = parts["transactions"] / 2 * max(commit["wall"] - commit["cpu"], 0)
    milliseconds = {
        "fetch_wait": parts["calls"] * parts["latency"] / parts["fetching"],
        "convert_cpu": convert["cpu"] + around * CONVERTING,
        "convert_wait": max(convert["wall"] - convert["cpu"], 0) + waits,
        "deliver_cpu": send["cpu"] + around * (1 - CONVERTING),
        "deliver_wait": max(send["wall"] - send["cpu"], 0) + waits,
        "others": parts["others"],
    }
    return {name: value / 1_000 for name, value in milliseconds.items()}


def with_others(parts: dict[str, float], workers: int, cores: int) -> float:
    """``predicted`` where ``others`` (seconds of a core for each document) share the machine: as fast as both can be at once."""
    rate = predicted(parts, workers, cores)
    for _ in range(6):
        # They need the more the faster we are; the mean of two guesses settles where one would swing.
        rate = (rate + predicted({**parts, "background": min(rate * parts["others"], cores)}, workers, cores)) / 2
    return rate


def against_measurement() -> list[dict[str, Any]]:
    """What the model says of each row of the export benchmark, beside what was measured; empty where it was not."""
    found = []
    for database in ("sqlite", "postgresql"):
        for one in _figures(f"export-{database}").get("rows", ()):
            if "parts" not in one:
                continue
            said = with_others(flat(one["parts"], _around(one)), one["workers"], one["parts"]["cores"])
            found.append(
                {
                    "database": database, "partner": one["partner"], "workers": one["workers"],
                    "measured_per_second": one["documents_per_second"], "predicted_per_second": said,
                    "error": f"{said / one['documents_per_second'] - 1:+.0%}",
                }
            )  # fmt: skip
    return found


def cases(costs: Costs, workers: Sequence[Worker], scale: float) -> Iterator[tuple[str, Outcome]]:
    """The same day with partners as they should be, as they are, and with one company that books very much at once."""
    documents = round(COMPANIES * INVOICES * PEAK_DAY * scale)
    ideal = day(COMPANIES, documents, 17, slow=0.0, away=0.0)
    yield "all partners well", simulate(ideal, costs, workers)
    usual = day(COMPANIES, documents, 17)
    yield f"{SLOW:.0%} slow, {AWAY:.0%} away for an hour", simulate(_again(usual), costs, workers)
    flooded = _again(usual)
    nine, big = 9 * 3600.0, flooded.jobs[0].company
    flooded.jobs.extend(Job(big, nine - 60, 5, int(big), nine) for _ in range(round(50_000 * scale)))
    outcome = simulate(flooded, costs, workers)
    yield "and one books 50 000 at nine o'clock", outcome
    yield "the same, the other companies", replace(outcome, jobs=[job for job in outcome.jobs if job.company != big])


def main() -> None:
    """Simulate, compare, look for sizes, print and keep."""
    costs, scale = measured(), 0.1 if QUICK else 1.0
    compared = against_measurement()
    for one in compared:
        print(one)
    if compared:
        results.write("simulation-check", results.command(), compared, note=_CHECK_NOTE)
    else:
        print("no export was measured (benchmarks.export): the model is not compared with anything")
    sizes = []
    for invoices in SIZES:
        found, workers = size(invoices, costs)
        sizes.append(found)
        print(found, flush=True)
    results.write("sizing", results.command(), sizes, note=_SIZING_NOTE, costs=_plain(costs))
    rows, depth = [], {}
    for name, outcome in cases(costs, workers, scale):
        rows.append(row(name, outcome, workers))
        depth[name] = [
            (at, sum(points[i][1] for points in outcome.depth.values()))
            for i, (at, _) in enumerate(outcome.depth["convert"])
            if at <= 86_400
        ]
        print(rows[-1], flush=True)
    results.write(
        "simulation", results.command(), rows, note=_DAY_NOTE, plot="A month-end day", depth=depth, scale=scale
    )


def _plain(costs: Costs) -> dict[str, Any]:
    return {name: getattr(costs, name) for name in costs.__dataclass_fields__}


_CHECK_NOTE = (
    "Documents a second of the export benchmark: as measured, and as the model says from its parts and its workers' processor time. "
    "The model knows nothing of SQLite's one write lock, nor that two busy cores of a shared machine are each slower than one."
)
_DAY_NOTE = (
    f"Simulated: {COMPANIES:,} companies × {INVOICES:,} invoices a month, {PEAK_DAY:.0%} of them on this day, half of a company's "
    "booked in one go, runs every quarter of an hour to every six hours. Minutes from booking include the wait for the run."
).replace(",", " ")
_SIZING_NOTE = (
    f"For a month-end day ({PEAK_DAY:.0%} of the month's documents) with slow and absent partners, so that 95 of 100 documents are "
    f"delivered within {TARGET / 60:.0f} minutes of the start of the run that finds them. Memory is that of all processes together, "
    "without PostgreSQL and Valkey; the database is that of documents with their deliveries, without the archive's files."
)


if __name__ == "__main__":
    results.no_arguments(__doc__)
    main()
