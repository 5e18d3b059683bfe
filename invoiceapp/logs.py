"""Logging of the long-running processes: one line an event, on stderr, with the ids of what is being worked on.

``LOG_FORMAT=json`` writes one JSON object a line; else the line is for people, with the ids at its end.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

#: Characters of one message; what a stranger typed must not fill the disk.
LONGEST = 8000
#: Controls, line ends of any kind, directions of writing, and halves of surrogate pairs, which no file can hold.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb]"
)
_NOTHING: Mapping[str, str] = MappingProxyType({})
_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default=_NOTHING)


def ids() -> Mapping[str, str]:
    """What this thread is working on: ``document``, ``delivery``, ``gateway``, ``run``, ``job`` …"""
    return _ids.get()


@contextmanager
def bound(**more: str) -> Iterator[None]:
    """Lines that are logged inside carry these ids, beside those from around."""
    token = _ids.set({**_ids.get(), **more})
    try:
        yield
    finally:
        _ids.reset(token)


def begin(**only: str) -> None:
    """From here on lines carry these ids and no others."""
    _ids.set(only)


def bind(**more: str) -> None:
    """From here on lines carry these ids too, until the ``bound`` around ends."""
    _ids.set({**_ids.get(), **more})


def _escaped(text: str) -> str:
    return _UNSEEN.sub(_escape, text[:LONGEST]) + ("…" if len(text) > LONGEST else "")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class OneLine(logging.Formatter):
    """Keeps what a stranger typed from forging log lines: control characters are escaped, long texts cut.

    A traceback keeps its lines, each marked by ``| ``: an exception's own text may have line breaks.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record with its message on one line."""
        record.message = _escaped(record.getMessage())
        record.msg, record.args = record.message, None
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, and the ids at its end."""
        said = [f"{name}={_escaped(value)}" for name, value in ids().items()]
        return " ".join((super().formatMessage(record), *said))

    def formatException(self, ei: Any) -> str:
        """The traceback, every line marked."""
        return "\n".join(f"| {_escaped(line)}" for line in super().formatException(ei).split("\n"))

    def formatStack(self, stack_info: str) -> str:
        """As a traceback."""
        return "\n".join(f"| {_escaped(line)}" for line in stack_info.split("\n"))


class JsonLine(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, the ids, and ``exception`` where there is one.

    Texts are escaped as in ``OneLine`` too: whoever decodes a line shows them on a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _escaped(record.getMessage()),
            **{name: _escaped(value) for name, value in ids().items()},
        }
        if record.exc_info:
            line["exception"] = "\n".join(map(_escaped, self.formatException(record.exc_info).split("\n")))
        if record.stack_info:
            line["stack"] = "\n".join(map(_escaped, record.stack_info.split("\n")))
        return json.dumps(line, ensure_ascii=False)


def formatter(text: str = "%(asctime)s %(levelname)s %(name)s %(message)s") -> logging.Formatter:
    """What ``LOG_FORMAT`` says; ``text`` is what a line for people looks like."""
    return JsonLine() if os.environ.get("LOG_FORMAT") == "json" else OneLine(text)


def configure() -> None:
    """Set up the root logger; quiet the libraries that talk too much."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    # The command line answers on stderr itself (JSON findings); it must stay readable for scripts.
    if "flask" in sys.argv[0]:
        logging.basicConfig(level=logging.ERROR, handlers=[handler])
        return
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("paramiko", "fontTools", "weasyprint", "rq.worker", "rq_scheduler", "alembic", "mail.log"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
