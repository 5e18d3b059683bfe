"""A queueing model of the workers: companies' documents pass the stages, each stage served by workers on hosts.

Discrete events in a heap, seeded. Claims are shared out between companies by the product's own ``fairness.shared_out``. A step
takes seconds of a core and seconds of waiting for somebody else; on a host whose cores are all busy the former become longer.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from invoiceapp.services.export.fairness import shared_out


@dataclass(slots=True)
class Job:
    """One document on its way; times in seconds since the simulation's midnight."""

    company: str
    booked: float
    lines: int = 10
    partner: int = 0
    started: float = 0.0
    """When a run begins to look for it"""
    done: float = -1.0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What one stage does with one document."""

    cpu: float
    wait: float = 0.0
    again: float | None = None
    """It did not succeed: seconds until it stands in this stage's queue once more"""


@dataclass(frozen=True, slots=True)
class Stage:
    """``step`` is asked when a document's turn comes, with the time. ``batch`` None: all that waits of one company."""

    name: str
    step: Callable[[Job, float], Step]
    batch: int | None = 40


@dataclass(frozen=True, slots=True)
class Worker:
    """Serves stages by turns, on a host."""

    stages: tuple[str, ...]
    host: int = 0


class Waiting:
    """The queue of one stage: by company, each in its order."""

    def __init__(self) -> None:
        self.length = 0
        self._of: dict[str, deque[Job]] = {}
        self._companies: list[str] = []
        self._places: dict[str, int] = {}

    def add(self, job: Job) -> None:
        """At the end of its company's queue."""
        if job.company not in self._places:
            self._places[job.company] = len(self._companies)
            self._companies.append(job.company)
            self._of.setdefault(job.company, deque())
        self._of[job.company].append(job)
        self.length += 1

    def claim(self, batch: int | None) -> list[Job]:
        """As a worker claims: a batch shared out between companies, or everything of one."""
        if batch is None:
            company = random.choice(self._companies)
            return self._take(company, len(self._of[company]))
        # With more companies than places each gets one at most, and chance decides; so a sample says the same.
        few = len(self._companies) <= batch
        return shared_out(self._companies if few else random.sample(self._companies, batch), batch, self._take)

    def _take(self, company: str, most: int) -> list[Job]:
        jobs = self._of.get(company, deque())
        taken = [jobs.popleft() for _ in range(min(most, len(jobs)))]
        self.length -= len(taken)
        if not jobs and company in self._places:
            self._forget(company)
        return taken

    def _forget(self, company: str) -> None:
        place, last = self._places.pop(company), self._companies.pop()
        if last != company:
            self._companies[place] = last
            self._places[last] = place


@dataclass
class Outcome:
    """What a simulation has seen."""

    jobs: list[Job]
    ended: float = 0.0
    area: float = 0.0
    """Documents in the system, integrated over time"""
    busy: dict[str, float] = field(default_factory=dict)
    """Seconds that workers were busy, by stage"""
    depth: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """What waits, by stage, sampled"""

    def seconds(self, since: Callable[[Job], float] = lambda job: job.booked) -> list[float]:
        """How long documents took until they were done, the shortest first."""
        return sorted(job.done - since(job) for job in self.jobs)


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value that ``part`` of all do not exceed."""
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The product's code shares out by the common generator: let it begin where it always does, then give it back."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


class Model:
    """One run of a model. ``background`` are cores of each host that somebody else keeps busy."""

    def __init__(
        self,
        stages: Sequence[Stage],
        workers: Sequence[Worker],
        *,
        cores: int = 2,
        background: float = 0.0,
        sample: float = 300.0,
    ) -> None:
        self._stages = {stage.name: stage for stage in stages}
        self._next = dict(zip(self._stages, [*list(self._stages)[1:], None], strict=True))
        self._workers, self._turns = workers, [0] * len(workers)
        # What others need is small beside a worker's appetite, so that the system gives it to them first.
        self._left, self._sample = max(cores - background, 0.1), sample
        self._waiting = {name: Waiting() for name in self._stages}
        self._idle = dict.fromkeys(range(len(workers)))
        self._load = [0.0] * (max((worker.host for worker in workers), default=0) + 1)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._inside = 0

    def run(self, jobs: Iterable[Job], seed: int = 1) -> Outcome:
        """Let all jobs arrive when their run starts, and go on until the last one is done."""
        arrivals = list(jobs)
        outcome = Outcome(arrivals, busy=dict.fromkeys(self._stages, 0.0), depth={name: [] for name in self._stages})
        self._outcome = outcome
        first = next(iter(self._stages))
        for job in arrivals:
            self._at(job.started, lambda now, job=job: self._enter(job, first, now))
        with seeded(seed):
            self._work_off(outcome)
        return outcome

    def _work_off(self, outcome: Outcome) -> None:
        sampled = 0.0
        while self._events:
            now, _, event = heapq.heappop(self._events)
            outcome.area += self._inside * (now - outcome.ended)
            outcome.ended = now
            while sampled <= now:
                for name, waiting in self._waiting.items():
                    outcome.depth[name].append((sampled, waiting.length))
                sampled += self._sample
            event(now)

    def _at(self, time: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), event))

    def _enter(self, job: Job, stage: str, now: float) -> None:
        """A document comes into the system and stands in a queue."""
        self._inside += 1
        self._queue(job, stage, now)

    def _queue(self, job: Job, stage: str, now: float) -> None:
        self._waiting[stage].add(job)
        for number in self._idle:
            if stage in self._workers[number].stages:
                del self._idle[number]
                # What arrives in the same moment is claimed together, as by a ring of the bell.
                self._at(now, lambda then, number=number: self._claim(number, then))
                return

    def _claim(self, number: int, now: float) -> None:
        """A worker looks for a batch, at its stages by turns."""
        stages = self._workers[number].stages
        for _ in stages:
            name = stages[self._turns[number] % len(stages)]
            self._turns[number] += 1
            if self._waiting[name].length:
                batch = deque(self._waiting[name].claim(self._stages[name].batch))
                self._begin(number, name, batch, now)
                return
        self._idle[number] = None

    def _begin(self, number: int, stage: str, batch: deque[Job], now: float) -> None:
        """The next document of the worker's batch; a new batch where there is none."""
        if not batch:
            self._claim(number, now)
            return
        job, host = batch.popleft(), self._workers[number].host
        step = self._stages[stage].step(job, now)
        share = step.cpu / (step.cpu + step.wait) if step.cpu else 0.0
        self._load[host] += share
        took = step.cpu * max(1.0, self._load[host] / self._left) + step.wait
        self._outcome.busy[stage] += took

        def end(then: float) -> None:
            self._load[host] -= share
            self._leave(job, stage, step, then)
            self._begin(number, stage, batch, then)

        self._at(now + took, end)

    def _leave(self, job: Job, stage: str, step: Step, now: float) -> None:
        following = self._next[stage]
        if step.again is not None:
            self._at(now + step.again, lambda then: self._queue(job, stage, then))
        elif following is None:
            job.done = now
            self._inside -= 1
        else:
            self._queue(job, following, now)


def utilisation(outcome: Outcome, workers: Sequence[Worker], seconds: float) -> Mapping[str, float]:
    """The part of ``seconds`` that the workers of each stage were busy; of several stages, shared evenly."""
    able = {name: sum(1 / len(one.stages) for one in workers if name in one.stages) for name in outcome.busy}
    return {name: busy / (able[name] * seconds) if able[name] else 0.0 for name, busy in outcome.busy.items()}
