"""How commands answer: refusals in one line, results as JSON."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import click

from invoiceapp.formats.pdf.writer import PdfEngineMissing
from invoiceapp.services import audit
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.sources.base import SourceError

P = ParamSpec("P")
R = TypeVar("R")


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn refusals into one line on stderr and exit code 1."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with _acting():
                return command(*args, **kwargs)
        except (ServiceError, SourceError) as error:
            raise click.ClickException(error.text.en) from error
        except (OSError, PdfEngineMissing) as error:
            raise click.ClickException(str(error)) from error

    return wrapped


def print_json(value: Any, *, err: bool = False) -> None:
    """Indented, with letters as they are."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2), err=err)


#: Commands that do something of which no audited row tells; each leaves an entry.
_NOTED = frozenset(
    {
        "secrets rotate",
        "rulepacks install",
        "runs start",
        "config apply",
        "users create-admin",
        "archive encrypt",
        "archive copy",
        "evidence pack",
    }
)


@contextmanager
def _acting() -> Iterator[None]:
    """Changes that a command makes are its own in the audit log."""
    context = click.get_current_context(silent=True)
    name = context.command_path.partition(" ")[2] if context else ""
    with audit.acting(name or "flask", kind="command"):
        outcome = "failed"
        try:
            yield
            outcome = "done"
        except SystemExit as end:
            outcome = "failed" if end.code else "done"
            raise
        finally:
            if name in _NOTED:
                with transaction():
                    audit.note("command", name=name, outcome=outcome)
