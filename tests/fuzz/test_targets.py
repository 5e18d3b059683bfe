"""Every parser of foreign bytes on its seeds, on what once was a finding, and on a few hundred changes of them."""

from __future__ import annotations

import pytest

from fuzz.engine import CORPUS, Campaign, Target
from fuzz.mutate import KINDS
from fuzz.targets import TARGETS

#: Of each target; ``make fuzz`` runs for minutes instead.
EXECUTIONS = 40


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_parser_answers_or_refuses_whatever_comes(target: Target) -> None:
    campaign = Campaign(target).run(executions=EXECUTIONS)
    assert {finding: detail for finding, (_, detail) in campaign.findings.items()} == {}
    assert campaign.executions >= EXECUTIONS


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_seeds_get_further_than_the_first_check(target: Target) -> None:
    """Else nothing but that check would ever be tried."""
    campaign = Campaign(target).run(executions=0)
    assert any(label.startswith("= ") or "ErrorAnswered" in label for label in campaign.labels)


def test_each_folder_of_the_corpus_belongs_to_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= set(TARGETS)
    assert {target.kind for target in TARGETS.values()} <= set(KINDS)
