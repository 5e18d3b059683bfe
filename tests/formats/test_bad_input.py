"""What no invoice should be: a finding or a refusal in words, never a traceback, never more memory than a worker has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from invoiceapp.formats.base import registry

ROOT = Path(__file__).parents[2]
MOST_MEGABYTES = 512
UBL = ("peppol-bis-3", "oioubl-2.1")
ALL = tuple(item.id for item in registry().values() if not item.draws)


@pytest.fixture(scope="module")
def fed() -> dict[str, Any]:
    """The outcome of every case in every format, out of a process of its own."""
    command = [sys.executable, str(ROOT / "tests" / "support" / "bad_input.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, env=environment)
    result: dict[str, Any] = json.loads(found.stdout)
    return result


def test_nothing_ends_in_a_traceback(fed):
    assert {case: outcome for case, outcome in fed["outcomes"].items() if "traceback" in outcome} == {}
    assert len(fed["outcomes"]) > 150


def test_a_worker_has_memory_enough_for_the_worst_of_them(fed):
    assert fed["peak_mb"] < MOST_MEGABYTES


@pytest.mark.parametrize("case", ["empty", "truncated", "not an object", "binary", "nan", "infinity", "deep json"])
@pytest.mark.parametrize("format_id", ALL)
def test_a_file_that_is_no_bundle_is_refused_in_words(fed, format_id, case):
    assert fed["outcomes"][f"{format_id}: {case}"].startswith("refused: Filen")


@pytest.mark.parametrize("case", ["endless exponent", "numbers as text", "null lines", "quantity beyond all books"])
@pytest.mark.parametrize("format_id", ALL)
def test_records_that_cannot_be_read_are_refused_in_words(fed, format_id, case):
    assert "Billy" in fed["outcomes"][f"{format_id}: {case}"]


@pytest.mark.parametrize(
    ("format_id", "case", "rule"),
    [
        ("peppol-bis-3", "no lines", "BR-16"),
        ("peppol-bis-3", "unknown currency", "BR-CL-04"),
        ("oioubl-2.1", "unknown currency", "F-LIB298"),
        ("cii", "unknown currency", "BR-CL-04"),
        ("peppol-bis-3", "currency of ten letters", "BR-CL-04"),
        ("oioubl-2.1", "two standard rates", "F-LIB315"),
        ("edifact-d96a", "ten thousand lines", "EDI-TOO-MANY-LINES"),
        *((format_id, "ten thousand lines", "IA-TOO-MANY-LINES") for format_id in ALL),
        *((format_id, "huge quantity that does not add up", "IA-TOTAL") for format_id in ALL),
        *((format_id, "country of markup", "BR-11") for format_id in UBL),
        *((format_id, name, "XML") for format_id in UBL for name in ("xml bomb", "external entity", "deep xml", "no xml", "random")),
    ],
)  # fmt: skip
def test_what_can_be_said_exactly_is_said_by_its_rule(fed, format_id, case, rule):
    outcome = fed["outcomes"][f"{format_id}: {case}"]
    assert outcome.startswith("blocked: ")
    assert rule in outcome.split(";")[0].removeprefix("blocked: ").split(", ")


@pytest.mark.parametrize(
    "case", ["huge quantity", "note of a megabyte", "line text of a megabyte", "control characters"]
)
@pytest.mark.parametrize("format_id", UBL)
def test_what_is_only_unusual_is_written(fed, format_id, case):
    assert fed["outcomes"][f"{format_id}: {case}"] == "written"


@pytest.mark.parametrize("format_id", UBL)
def test_a_pdf_that_no_receiver_would_take_is_left_out_with_a_warning(fed, format_id):
    assert fed["outcomes"][f"{format_id}: pdf of 50 MB"] == "left out"


@pytest.mark.parametrize("case", ["xml bomb", "external entity", "random", "unended edifact", "no xml"])
@pytest.mark.parametrize("format_id", [item for item in ALL if registry()[item].reader])
def test_a_reader_refuses_what_it_cannot_read(fed, format_id, case):
    assert "; refused: " in fed["outcomes"][f"{format_id}: {case}"]


def test_no_refusal_shows_what_an_external_entity_names(fed):
    assert "root:" not in json.dumps(fed)
