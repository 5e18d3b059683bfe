"""Sproom's words against the list of its documentation, and which of a history counts."""

from __future__ import annotations

import pytest

from invoiceapp.gateways.base import Verdict
from invoiceapp.gateways.sproom.states import STATES, telling

GOOD = ["Sent", "Received", "TransmissionCompleted", "Approved"]
BAD = [
    "EndpointNotFound", "SchematronValidationError", "OIOSchemaValidationError", "DuplicateFileError", "SendNemHandelError",
    "SendLimitExceeded", "Rejected", "ApplicationReponseTechnicalReject", "ApplicationReponseProfileReject",
    "ApplicationReponseBusinessReject",
]  # fmt: skip
RUNNING = ["Created", "TransmissionStarted"]


def test_every_final_word_ends_the_questions_and_no_running_one_does():
    assert {STATES[word.lower()].verdict for word in GOOD} == {Verdict.ARRIVED, Verdict.ACKNOWLEDGED}
    assert {STATES[word.lower()].verdict for word in BAD} == {Verdict.REJECTED}
    assert {STATES[word.lower()].verdict for word in RUNNING} == {Verdict.ON_ITS_WAY}


def test_only_the_buyers_words_are_the_buyers():
    said = {word for word, meaning in STATES.items() if meaning.by == "buyer"}
    assert said == {
        "approved", "rejected", "applicationreponsebusinessreject", "applicationresponsebusinessreject"
    }  # fmt: skip


def entry(word: str | None, at: str | None = None) -> dict[str, str | None]:
    return {"state": word, "dateTime": at}


@pytest.mark.parametrize(
    ("history", "word"),
    [
        ([entry("Created", "2026-11-02T10:00:00Z"), entry("Sent", "2026-11-02T10:01:00Z")], "Sent"),
        ([entry("Sent", "2026-11-02T10:01:00Z"), entry("Created", "2026-11-02T10:00:00Z")], "Sent"),
        ([entry("Created", "2026-11-02T10:00:00"), entry("Sent", "2026-11-02T11:30:00+01:00")], "Sent"),
        ([entry("Sent", "2026-11-02T10:00:00Z"), entry("Beamed", "2026-11-02T10:01:00Z")], "Sent"),
        (
            [entry("EndpointNotFound", "2026-11-02T10:00:00Z"), entry("EndpointAdded", "2026-11-02T10:01:00Z")],
            "EndpointAdded",
        ),
        ([entry("Created"), entry("Sent", "yesterday")], "Sent"),
        ([entry("Beamed")], "Beamed"),
        ([entry(None), entry("")], None),
        ([], None),
    ],
)
def test_the_newest_word_that_we_know_counts(history, word):
    found = telling(history)
    assert (found and found["state"]) == word
