"""How commands answer: refusals in one line, results as JSON."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import click

from invoiceapp.formats.pdf.writer import PdfEngineMissing
from invoiceapp.services.errors import ServiceError
from invoiceapp.sources.base import SourceError

P = ParamSpec("P")
R = TypeVar("R")


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn refusals into one line on stderr and exit code 1."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (ServiceError, SourceError) as error:
            raise click.ClickException(error.text.en) from error
        except (OSError, PdfEngineMissing) as error:
            raise click.ClickException(str(error)) from error

    return wrapped


def print_json(value: Any, *, err: bool = False) -> None:
    """Indented, with letters as they are."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2), err=err)
