"""The queueing model says what theory says, is fair as the product is, and repeats itself."""

from __future__ import annotations

import random
import statistics

import pytest

from benchmarks.queueing import Job, Model, Outcome, Stage, Step, Worker
from benchmarks.simulation import Costs, _again, crew, day, flat, predicted, simulate, with_others


def _poisson(rate: float, number: int, seed: int) -> list[Job]:
    dice, now, jobs = random.Random(seed), 0.0, []
    for _ in range(number):
        now += dice.expovariate(rate)
        jobs.append(Job("one", now, started=now))
    return jobs


def _one_stage(seconds: float, *, workers: int = 1, batch: int = 1) -> Model:
    return Model([Stage("work", lambda _job, _now: Step(0.0, seconds), batch)], [Worker(("work",))] * workers)


def _mean_wait(outcome: Outcome, seconds: float) -> float:
    return statistics.mean(outcome.seconds()) - seconds


def test_waiting_with_constant_service_and_one_worker_is_as_the_formula_says():
    load, seconds, runs = 0.7, 1.0, 8
    waits = [
        _mean_wait(_one_stage(seconds).run(_poisson(load / seconds, 4_000, seed)), seconds) for seed in range(runs)
    ]
    expected = load * seconds / (2 * (1 - load))  # Pollaczek and Khinchine, M/D/1
    student = 3.5  # 99 of 100, 7 degrees of freedom
    half = student * statistics.stdev(waits) / runs**0.5
    assert abs(statistics.mean(waits) - expected) < half
    assert half < expected / 4


def test_what_is_in_the_system_is_arrivals_times_time_in_it():
    today = day(20, 2_000, seed=3)
    outcome = simulate(today, Costs(), crew(1, 1, 2))
    assert all(job.done > 0 for job in outcome.jobs)
    assert outcome.area == pytest.approx(sum(job.done - job.started for job in outcome.jobs), rel=1e-6)


def test_a_company_with_little_does_not_wait_for_one_with_much():
    much = [Job("much", 0.0) for _ in range(3_000)]
    little = [Job("little", 1.0, started=1.0) for _ in range(5)]
    _one_stage(0.01, batch=20).run([*much, *little])
    assert max(job.done for job in little) < 2.0
    assert max(job.done for job in much) == pytest.approx(30.05)


def test_the_same_seed_tells_the_same_day_and_another_one_another():
    today = day(30, 1_000, seed=5)
    state = random.getstate()
    first, second, third = (
        [job.done for job in simulate(_again(today), Costs(), crew(1, 1, 2), seed).jobs] for seed in (1, 1, 2)
    )
    assert first == second != third
    assert random.getstate() == state


def test_two_workers_on_one_core_are_as_fast_as_one():
    parts = {"convert_cpu": 0.01, "deliver_cpu": 0.002}
    assert predicted(parts, 2, cores=1, documents=400) == pytest.approx(
        predicted(parts, 1, cores=1, documents=400), rel=0.1
    )
    assert predicted(parts, 2, cores=2, documents=400) > 1.5 * predicted(parts, 1, cores=2, documents=400)


def test_waiting_for_others_is_shared_out_between_workers():
    assert predicted({"deliver_wait": 0.1}, 1, cores=1, documents=400) == pytest.approx(10, rel=0.05)
    assert predicted({"deliver_wait": 0.1}, 4, cores=1, documents=400) == pytest.approx(40, rel=0.05)


def test_a_partner_that_is_away_delays_its_own_documents():
    today = day(40, 1_500, seed=9, slow=0.0, away=0.05)
    outcome = simulate(today, Costs(), crew(2, 2, 4))
    away = {number for number, partner in enumerate(today.partners) if partner.is_away}
    tried = [job for job in outcome.jobs if job.tries]
    assert tried
    assert {job.partner for job in tried} <= away
    assert all(job.done > 11 * 3600 for job in tried)


def test_converting_a_size_between_two_measured_ones_lies_between_them():
    costs = Costs(convert=((1, 0.001), (10, 0.01), (100, 0.1)), convert_more=0.0)
    assert [costs.converting(lines) for lines in (1, 10, 55, 100)] == pytest.approx([0.001, 0.01, 0.055, 0.1])
    assert costs.converting(200) == pytest.approx(0.2)


def test_the_parts_of_an_export_predict_its_pace():
    times = {"wall": 10.0, "cpu": 10.0}
    parts = flat(
        {
            "calls": 1.0, "latency": 50.0, "fetching": 50, "convert": times, "send": {"wall": 6.0, "cpu": 2.0},
            "commit": {"wall": 1.0, "cpu": 0.5}, "transactions": 4.0, "others": 6.0,
        },
        around=3.0,
    )  # fmt: skip
    assert parts == pytest.approx(
        {
            "fetch_wait": 0.001, "convert_cpu": 0.012, "convert_wait": 0.001, "deliver_cpu": 0.003,
            "deliver_wait": 0.005, "others": 0.006,
        }
    )  # fmt: skip
    # One worker does it all one after another: 22 ms, and the second core is enough for the others.
    assert with_others(parts, 1, cores=2) == pytest.approx(1 / 0.022, rel=0.05)
    # Four share two cores with the others: 15 + 6 ms of a core for each document.
    assert with_others(parts, 4, cores=2) == pytest.approx(2 / 0.021, rel=0.1)
