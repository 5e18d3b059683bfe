from __future__ import annotations

import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from invoiceapp.logs import LONGEST, JsonLine, OneLine, bind, bound, formatter, ids

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


def json_line(message: str, *arguments: object, exc_info: object = None) -> dict[str, str]:
    record = logging.LogRecord("test", logging.INFO, __file__, 1, message, arguments, exc_info)  # type: ignore[arg-type]
    line = JsonLine().format(record)
    assert "\n" not in line and line.isprintable()
    found: dict[str, str] = json.loads(line)
    return found


def test_lines_carry_the_ids_of_what_is_worked_on_at_their_end():
    with bound(run="01RUN"), bound(document="01DOC"):
        bind(adaptor="01ADA")
        assert lines("read %s", "it") == ["INFO read it run=01RUN document=01DOC adaptor=01ADA"]
    assert lines("over") == ["INFO over"]


def test_a_line_that_is_written_twice_carries_its_ids_once():
    record = logging.LogRecord("test", logging.INFO, __file__, 1, "read", (), None)
    with bound(run="01RUN"):
        texts = [OneLine("%(message)s").format(record) for _ in range(2)]
    assert texts == ["read run=01RUN"] * 2


def test_the_ids_stand_before_the_traceback():
    try:
        raise ValueError("no")
    except ValueError:
        with bound(delivery="01DEL"):
            found = lines("broken", exc_info=sys.exc_info())
    assert found[0] == "INFO broken delivery=01DEL" and found[-1] == "| ValueError: no"


def test_an_inner_piece_of_work_ends_with_what_was_added_to_it():
    with bound(job="01JOB"):
        with bound(document="01DOC"):
            bind(adaptor="01ADA")
        assert dict(ids()) == {"job": "01JOB"}


def test_threads_have_their_own_ids():
    with bound(run="01RUN"), ThreadPoolExecutor(1) as pool:
        assert dict(pool.submit(ids).result()) == {}


def test_one_json_object_a_line_says_when_who_what_and_about_which_rows():
    with bound(document="01DOC"):
        found = json_line("sent to %s", "Ærø")
    assert datetime.fromisoformat(found.pop("time")).utcoffset() == timedelta(0)
    assert found == {"level": "INFO", "logger": "test", "message": "sent to Ærø", "document": "01DOC"}


def test_json_lines_cannot_be_forged_and_turn_no_terminal_round():
    found = json_line("%s", f'x"}}\n{{"level": "ERROR"}}\x1b[2J\u202e{FORGED}')
    assert found["level"] == "INFO" and found["message"].startswith('x"}\\x0a{') and "\\u202e" in found["message"]
    with bound(request='"}\n{'):
        assert json_line("x")["request"] == '"}\\x0a{'


def test_json_lines_hold_their_traceback():
    try:
        raise ValueError("no\x1b")
    except ValueError:
        found = json_line("broken", exc_info=sys.exc_info())
    assert found["exception"].startswith("Traceback") and found["exception"].endswith("ValueError: no\\x1b")


@pytest.mark.parametrize(("wanted", "kind"), [(None, OneLine), ("text", OneLine), ("json", JsonLine)])
def test_the_setting_chooses(monkeypatch, wanted, kind):
    monkeypatch.delenv("LOG_FORMAT", raising=False)
    if wanted:
        monkeypatch.setenv("LOG_FORMAT", wanted)
    assert type(formatter()) is kind
