"""``flask secrets``: the keys that stored secrets are encrypted with (docs/configuration.md)."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from invoiceapp.cli_output import plain_errors, print_json
from invoiceapp.services import secrets

secrets_group = AppGroup("secrets", help="Secrets of gateways and adaptors, as they are stored.")

UNREADABLE = 1


@secrets_group.command("rotate")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def secrets_rotate(as_json: bool) -> None:
    """Encrypt all stored secrets with the first of ENCRYPTION_KEYS. Exit code 1 where some cannot be read."""
    done = secrets.rotate()
    if as_json:
        print_json({"rewritten": done.rewritten, "current": done.current, "unreadable": done.unreadable})
    else:
        click.echo(f"encrypted anew: {done.rewritten}")
        click.echo(f"had the first key already: {done.current}")
        click.echo(f"unreadable: {len(done.unreadable)}")
    for place in done.unreadable:
        click.echo(f"  {place}: none of ENCRYPTION_KEYS opens it. Enter it again, or bring its key back.", err=True)
    sys.exit(UNREADABLE if done.unreadable else 0)
