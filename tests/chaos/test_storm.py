"""What the storm draws from its seed, and the partners' moods."""

from __future__ import annotations

import random
from pathlib import Path

from chaos import timing
from chaos.behaviour import CHANCES, Act, Mood
from chaos.storm import WEIGHTS, drawn
from invoiceapp.domain.delivery import FIRST_QUESTION, QUESTION_PLAN
from invoiceapp.gateways.base import Transport
from invoiceapp.services.export import delivery


def test_a_seed_draws_the_same_storm_again():
    first, second, other = (drawn(random.Random(seed), 60) for seed in (1, 1, 2))
    assert first == second != other
    assert all(0 <= at <= 60 for at, _ in first) and first == sorted(first)


def test_in_a_minute_everything_happens_once_at_least():
    assert {what for _, what in drawn(random.Random(1), 60)} == set(WEIGHTS)


def test_a_partner_does_everything_and_to_each_document_the_same_again(tmp_path: Path):
    mood = Mood(1, tmp_path / "well")
    acts = [mood.act("mail", str(number), 1) for number in range(2000)]
    assert set(acts) == {*CHANCES, Act.TAKE, Act.REFUSE}
    assert acts == [mood.act("mail", str(number), 1) for number in range(2000)]


def test_once_well_a_partner_only_takes_or_refuses_and_refuses_the_same(tmp_path: Path):
    mood = Mood(1, tmp_path / "well")
    refused = {number for number in range(500) if mood.act("mail", str(number), 1) is Act.REFUSE}
    (tmp_path / "well").touch()
    after = {number: mood.act("mail", str(number), 7) for number in range(500)}
    assert {number for number, act in after.items() if act is Act.REFUSE} == refused
    assert set(after.values()) == {Act.TAKE, Act.REFUSE}


def test_what_is_faster_keeps_its_proportions():
    assert timing.DEADLINE < timing.LEASE / 2 and delivery.LEASE.total_seconds() / 2 > Transport.DEADLINE
    quick = (timing.FIRST_QUESTION + timing.QUESTIONS[0]) / timing.DEADLINE
    assert quick <= (FIRST_QUESTION + QUESTION_PLAN[0]) / Transport.DEADLINE * 1.01
