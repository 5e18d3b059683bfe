"""``flask config``: a subscription's configuration as a file (docs/configuration-as-code.md).

Exit codes: 0 fine (of ``diff``: no difference), 1 differences (of ``diff`` only), 2 unusable: nothing was changed.
"""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from invoiceapp.cli_output import plain_errors, print_json
from invoiceapp.services.configuration import as_code
from invoiceapp.services.configuration.as_code.problems import MOST_LISTED
from invoiceapp.services.configuration.as_code.reading import LARGEST
from invoiceapp.services.configuration.as_code.wording import printable

DIFFERENT = 1
UNUSABLE = 2

config_group = AppGroup("config", help="The configuration as a file: adaptors, gateways, rules and settings.")

P = ParamSpec("P")
R = TypeVar("R")


def _unusable(text: str) -> NoReturn:
    click.echo(f"Error: {text}", err=True)
    sys.exit(UNUSABLE)


def _refusals(command: Callable[P, R]) -> Callable[P, R]:
    """All problems of a file, one a line; every other refusal in one line. Exit code 2."""
    told = plain_errors(command)

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return told(*args, **kwargs)
        except click.ClickException as error:
            found = error.__cause__
            if isinstance(found, as_code.ConfigurationInvalid):
                _list(found)
            if isinstance(error, click.UsageError):
                raise
            _unusable(printable(error.message))
        except SQLAlchemyError as error:
            lines = str(getattr(error, "orig", None) or type(error).__name__).splitlines()
            _unusable(printable(f"The database cannot be used: {lines[0] if lines else 'no answer'}"))

    return wrapped


def _list(found: as_code.ConfigurationInvalid) -> None:
    for problem in found.problems[:MOST_LISTED]:
        click.echo(printable(str(problem)), err=True)
    more = len(found.problems) - MOST_LISTED
    if more > 0:
        click.echo(f"… and {more} more", err=True)


def _content(path: str) -> bytes:
    """The file's bytes, "-" for standard input; not more than show that it is too large."""
    if path == "-":
        return sys.stdin.buffer.read(LARGEST + 1)
    with Path(path).open("rb") as file:
        return file.read(LARGEST + 1)


def _write(text: str, path: Path) -> None:
    """All of the file or nothing of it, readable by its owner and group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
        Path(name).chmod(0o640)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@config_group.command("export")
@click.option("--subscription", metavar="NAME", help="Which one, where there are several.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Else standard output.")
@_refusals
def config_export(subscription: str | None, out: Path | None) -> None:
    """Write the configuration as YAML. It never holds a secret."""
    text = as_code.export(subscription)
    if out is None:
        sys.stdout.buffer.write(text.encode())
    else:
        _write(text, out)


def _file_options(command: Callable[..., None]) -> Callable[..., None]:
    """What ``diff`` and ``apply`` have in common."""
    for option in (
        click.argument("file", metavar="FILE"),
        click.option("--subscription", metavar="NAME", help="Instead of the one that the file names."),
        click.option(
            "--create-subscription", is_flag=True, help="Make the subscription where there is none of that name."
        ),
        click.option("--prune", is_flag=True, help="Deactivate customers that the file does not have."),
    ):
        command = option(command)
    return command


def _applied(file: str, **options: Any) -> as_code.Outcome:
    return as_code.apply(_content(file), as_code.Options(**options))


def _print(outcome: as_code.Outcome) -> None:
    for note in outcome.notes:
        click.echo(printable(f"Note: {note}"), err=True)
    for change in outcome.changes:
        click.echo(str(change))


@config_group.command("diff")
@_file_options
@click.option("--json", "as_json", is_flag=True)
@_refusals
def config_diff(file: str, as_json: bool, **options: Any) -> None:
    """What ``apply`` would change, one line each. Exit code 1 where there is anything."""
    outcome = _applied(file, dry_run=True, **options)
    if as_json:
        print_json(
            {
                "changes": [change.to_dict() for change in outcome.changes],
                "secrets": [
                    {**subject.to_dict(), "secret": name, "state": state} for subject, name, state in outcome.secrets
                ],
                "notes": [str(note) for note in outcome.notes],
            }
        )
    else:
        _print(outcome)
    sys.exit(DIFFERENT if outcome.changes else 0)


@config_group.command("apply")
@_file_options
@click.option("--dry-run", is_flag=True, help="Say what would be changed, and change nothing.")
@_refusals
def config_apply(file: str, dry_run: bool, **options: Any) -> None:
    """Make the configuration as FILE ("-": standard input) says, all of it or nothing."""
    outcome = _applied(file, dry_run=dry_run, **options)
    _print(outcome)
    count = len(outcome.changes)
    if not count:
        click.echo("Nothing to change.")
    elif dry_run:
        click.echo(f"Dry run: nothing was changed. To change: {count}.")
    else:
        click.echo(f"Changed: {count}.")
