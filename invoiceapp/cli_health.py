"""``flask health``: how the whole installation is. Exit codes: 0 fine, 1 something needs a person, 2 not working."""

from __future__ import annotations

import sys

import click

from invoiceapp.cli_output import plain_errors, print_json
from invoiceapp.services.daily.health import Level
from invoiceapp.services.operations import overall
from invoiceapp.services.operations.overall import Row, Verdict

_WORDS = {
    Verdict.FINE: "fine",
    Verdict.NEEDS_PERSON: "something needs a person",
    Verdict.NOT_WORKING: "not working",
}
_QUIET = (Level.GOOD, Level.REST)


@click.command("health")
@click.option("--all", "show_all", is_flag=True, help="Adaptors and gateways that are well, too.")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def health_command(show_all: bool, as_json: bool) -> None:
    """See database, Redis, workers, clock, queues, archive, rules, and each adaptor and gateway that is not well."""
    rows = overall.look()
    found = overall.verdict(rows)
    if as_json:
        print_json({"status": _WORDS[found], "checks": [row.to_dict() for row in rows]})
    else:
        _print(rows, show_all)
        click.echo(_WORDS[found])
    sys.exit(found)


def _print(rows: list[Row], show_all: bool) -> None:
    hidden = [row for row in rows if row.row_id and row.level in _QUIET and not show_all]
    for row in rows:
        if row in hidden:
            continue
        since = f" {row.since:%Y-%m-%d %H:%M} UTC" if row.since else ""
        click.echo(f"{row.level.value:5}  {row.part:14} {row.name:12}  {row.text}{since}")
        if row.advice and row.level not in _QUIET:
            click.echo(f"{'':36}{row.advice}")
    if hidden:
        click.echo(f"and {len(hidden)} parts of adaptors and gateways that are well (--all)")
