"""Logging of the long-running processes: one line an event, on stderr."""

from __future__ import annotations

import logging
import sys


class OneLine(logging.Formatter):
    """Keeps what a stranger typed from forging log lines: control characters are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its message on one line; a traceback keeps its lines."""
        record.message = record.getMessage().translate(_ESCAPES)
        record.msg, record.args = record.message, None
        return super().format(record)


_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


def configure() -> None:
    """Set up the root logger; quiet the libraries that talk too much."""
    # The command line answers on stderr itself (JSON findings); it must stay readable for scripts.
    if "flask" in sys.argv[0]:
        logging.basicConfig(level=logging.ERROR)
        return
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("paramiko", "fontTools", "weasyprint", "rq.worker", "rq_scheduler", "alembic", "mail.log"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
