"""``flask archive``: verify, encrypt and move the files that documents consist of (docs/backup.md)."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from invoiceapp.cli_output import plain_errors, print_json
from invoiceapp.config import ConfigurationError
from invoiceapp.services.keeping import moving, verifying
from invoiceapp.services.keeping.moving import Done

archive_group = AppGroup("archive", help="The archive: verify it, encrypt it, copy it to another store.")
DAMAGED = 3


@archive_group.command("verify")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="About N files instead of all.")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def verify(sample: int | None, as_json: bool) -> None:
    """Read every file that something names. Exit code 3 where one is missing, changed or cannot be opened."""
    found = verifying.sample(sample) if sample else verifying.verify()
    if as_json:
        print_json(
            {
                "ok": found.is_whole, "checked": found.checked, "bytes": found.bytes, "unnamed": found.unnamed,
                "damaged": dict(found.damages), "files": [{"sha256": name, "damage": damage} for name, damage in found.shown],
            }
        )  # fmt: skip
    else:
        click.echo(f"files read: {found.checked} ({found.bytes} bytes)")
        click.echo(f"files that nothing names: {found.unnamed}")
        for name, damage in found.shown:
            click.echo(f"  {damage}: {name}", err=True)
        if found.is_whole:
            click.echo("sound: every file is there and is what its name says")
        else:
            number = found.damages.total()
            click.echo(f"DAMAGED: {number} files. Bring them back from a backup or a copy of the archive.", err=True)
    sys.exit(0 if found.is_whole else DAMAGED)


@archive_group.command("encrypt")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def encrypt(as_json: bool) -> None:
    """Seal all files with the first of ENCRYPTION_KEYS. May be stopped, and begun again. Exit code 3: some are damaged."""
    _end(moving.encrypt(), as_json, "encrypted anew", "had the first key already")


@archive_group.command("copy")
@click.option("--to", "url", required=True, metavar="URL", help="file:///path or s3://bucket/prefix")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def copy(url: str, as_json: bool) -> None:
    """Copy all files to another store and read each back. May be stopped, and begun again. Exit code 3: some are damaged."""
    try:
        done = moving.copy(url)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    _end(done, as_json, "copied", "were there already")


def _end(done: Done, as_json: bool, written: str, there: str) -> None:
    if as_json:
        print_json(
            {
                "written": done.written, "bytes": done.bytes, "there": done.there, "damaged": done.damaged,
                "files": done.shown,
            }
        )  # fmt: skip
    else:
        click.echo(f"{written}: {done.written} ({done.bytes} bytes)")
        click.echo(f"{there}: {done.there}")
    for name in done.shown:
        click.echo(f"  damaged, left as it is: {name}", err=True)
    sys.exit(DAMAGED if done.damaged else 0)
