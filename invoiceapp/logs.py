"""Logging of the long-running processes: one line an event, on stderr."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

#: Characters of one message; what a stranger typed must not fill the disk.
LONGEST = 8000
#: Controls, line ends of any kind, directions of writing, and halves of surrogate pairs, which no file can hold.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb]"
)


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

    def formatException(self, ei: Any) -> str:
        """The traceback, every line marked."""
        return "\n".join(f"| {_escaped(line)}" for line in super().formatException(ei).split("\n"))

    def formatStack(self, stack_info: str) -> str:
        """As a traceback."""
        return "\n".join(f"| {_escaped(line)}" for line in stack_info.split("\n"))


def configure() -> None:
    """Set up the root logger; quiet the libraries that talk too much."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    # The command line answers on stderr itself (JSON findings); it must stay readable for scripts.
    if "flask" in sys.argv[0]:
        logging.basicConfig(level=logging.ERROR, handlers=[handler])
        return
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("paramiko", "fontTools", "weasyprint", "rq.worker", "rq_scheduler", "alembic", "mail.log"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
