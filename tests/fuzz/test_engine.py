"""What the engine calls a finding, and that its inputs are the same for the same seed."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from fuzz import engine
from fuzz.engine import Campaign, Target, judged, noted, smaller
from fuzz.mutate import KINDS, mutated


def target(run, *refusals, kind="bytes", seeds=(b"seed",)) -> Target:
    return Target("trial", run, lambda: seeds, refusals, kind)


def _raise(error):
    raise error


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), RecursionError(), MemoryError(), AssertionError(), UnicodeDecodeError("utf-8", b"", 0, 1, "")],
)
def test_an_error_that_is_not_declared_is_a_finding(error):
    found = judged(target(lambda _: _raise(error), RuntimeWarning), b"x")
    assert found.finding.startswith(type(error).__name__)
    assert "Traceback" in found.detail


def test_a_declared_refusal_and_a_value_are_none():
    assert judged(target(lambda _: _raise(ValueError("no 17")), ValueError), b"x").finding == ""
    assert judged(target(lambda content: len(content)), b"x").finding == ""


def test_refusals_that_differ_in_numbers_only_look_alike():
    run = target(lambda content: _raise(ValueError(f"line {len(content)}")), ValueError)
    assert judged(run, b"x").label == judged(run, b"xx").label


def test_what_takes_too_much_time_is_a_finding(monkeypatch):
    monkeypatch.setattr(engine, "MOST_CPU", -1)
    assert judged(target(lambda _: None), b"x").finding == "slow"


def test_what_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr(engine, "GIVEN_UP", 0.05)

    def endless(_: bytes) -> None:
        while True:
            pass

    assert judged(target(endless), b"x").finding.startswith("Endless")


def test_an_input_is_made_smaller_as_long_as_it_fails_in_the_same_way():
    def run(content: bytes) -> None:
        if b"!" in content:
            raise KeyError

    made = target(run)
    assert smaller(made, b"abcdefgh!ijklmnop", judged(made, b"!").finding) == b"!"


def test_a_campaign_keeps_one_small_input_for_each_finding():
    made = target(lambda content: 1 / (len(content) % 2))
    found = Campaign(made).run(executions=200)
    assert [finding.split()[0] for finding in found.findings] == ["ZeroDivisionError"]


def test_the_input_under_way_is_on_disk_for_the_case_that_the_process_dies(tmp_path: Path):
    path, seen = tmp_path / "current", []
    made = target(lambda content: seen.append(noted(path) == content))
    Campaign(made, current=path).run(executions=30)
    assert len(seen) == 30 and all(seen)


SEEDS = {
    "xml": b"<a x='1'><b>t</b><b/></a>",
    "json": json.dumps({"a": [1, {"b": None}]}).encode(),
    "answer": b"2" + json.dumps({"a": [1]}).encode(),
    "der": bytes.fromhex("3009020101040430020500"),
    "edifact": b"UNH+1+INVOIC'BGM+380'",
    "lines": b"a: 1\r\n\r\nb\r\n",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_makes_the_same_inputs(kind):
    seed = SEEDS.get(kind, b"seed")
    made = [
        [mutated(Random(f"{turn}"), seed, [seed, b"other"], kind, (b"token",)) for turn in range(60)] for _ in range(2)
    ]
    assert made[0] == made[1]
    assert len(set(made[0])) > 30
