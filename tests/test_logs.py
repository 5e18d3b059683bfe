from __future__ import annotations

import logging
import sys

import pytest

from invoiceapp.logs import LONGEST, OneLine

FORGED = "2026-11-23 12:00:00 INFO admin signed in"


def lines(message: str, *arguments: object, exc_info: object = None) -> list[str]:
    record = logging.LogRecord("test", logging.INFO, __file__, 1, message, arguments, exc_info)  # type: ignore[arg-type]
    return OneLine("%(levelname)s %(message)s").format(record).splitlines()


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0"])
def test_a_line_end_of_any_kind_starts_no_line(end):
    [line] = lines("failed for %s", f"evil{end}{FORGED}")
    assert line.startswith("INFO failed for evil\\")
    assert "\0" not in line


def test_what_turns_the_writing_round_or_cannot_be_seen_is_escaped():
    [line] = lines("%s", "a\u202eb\u2066c\u200bd\ud800e\x1b[31m")
    assert line == "INFO a\\u202eb\\u2066c\\u200bd\\ud800e\\x1b[31m"
    assert lines("Ærø & Søn €") == ["INFO Ærø & Søn €"]


def test_a_long_text_is_cut():
    [line] = lines("%s", "x" * 1_000_000)
    assert len(line) <= LONGEST + 10


def test_an_exceptions_text_forges_no_line_below_its_traceback():
    try:
        raise ValueError(f"no\n{FORGED}\u2028{FORGED}")
    except ValueError:
        found = lines("broken", exc_info=sys.exc_info())
    assert found[0] == "INFO broken"
    assert all(line.startswith("| ") for line in found[1:])
    assert any(FORGED in line for line in found[1:])
