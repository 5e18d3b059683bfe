"""``flask rulepacks``: official rules, installed and looked after by whoever runs the server.

Only ``shadow`` needs the database. Exit codes: 0 fine, 1 refused or damaged.
"""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from invoiceapp.cli_output import plain_errors, print_json
from invoiceapp.formats.validation.installer import Outcome, Request
from invoiceapp.formats.validation.packs import PACKS
from invoiceapp.services.configuration import rulepacks, shadow
from invoiceapp.services.export.validators import today

rulepacks_group = AppGroup("rulepacks", help="The official rules of Peppol and OIOUBL.")

#: Seconds for a trial of all documents; the page, which looks at few of them, has less.
_TRIAL = 3600

_NONE = "no editions installed"
_DAY = click.DateTime(formats=["%Y-%m-%d"])


def _day(value: datetime | None) -> date | None:
    return value.date() if value else None


@rulepacks_group.command("add")
@click.argument("path", metavar="FILE|FOLDER", type=click.Path(path_type=Path))
@click.option("--pack", type=click.Choice(list(PACKS)), help="Which pack, where the file holds several.")
@click.option("--version", help="Which edition, where the file holds several or does not say; else the newest.")
@click.option("--valid-from", type=_DAY, help="First day on which it judges; else what is known, else today.")
@click.option("--valid-to", type=_DAY, help="Last day on which it judges.")
@click.option("--no-end", is_flag=True, help="Take away the last day that was given earlier.")
@click.option("--source", help="Where it came from, to be kept with it.")
@click.option("--replace", is_flag=True, help="Put it in the place of other content of the same version.")
@plain_errors
def rulepacks_add(
    path: Path, pack: str | None, version: str | None, valid_from: datetime | None, valid_to: datetime | None,
    no_end: bool, source: str | None, replace: bool,
) -> None:  # fmt: skip
    """Install official rules out of a zip, a JAR or a folder."""
    if no_end and valid_to:
        raise click.UsageError("Give either --valid-to or --no-end.")
    request = Request(path, pack, version, _day(valid_from), _day(valid_to), source, replace, no_end)
    added = rulepacks.add(request)
    edition = added.edition
    verb = {Outcome.ADDED: "added", Outcome.REPLACED: "replaced", Outcome.SAME: "is already there"}[added.outcome]
    end = f" to {edition.valid_to}" if edition.valid_to else ""
    click.echo(f"{edition.pack} {edition.version} {verb}, valid from {edition.valid_from or 'ever'}{end}")
    if added.stopped_by:
        rules = ", ".join(added.stopped_by)
        is_coming = edition.valid_from is not None and edition.valid_from > today()
        advice = "Before it takes effect, run:" if is_coming else "See whose documents it stops:"
        click.echo(f"  Warning: it stops our sample document ({rules}). {advice}", err=True)
        click.echo(f"    flask rulepacks shadow {edition.pack} {edition.version}", err=True)


@rulepacks_group.command("list")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def rulepacks_list(as_json: bool) -> None:
    """All installed editions; the one in use today is marked."""
    rulepacks.check_place()
    states = rulepacks.editions()
    if as_json:
        print_json([state.to_dict() for state in states])
        return
    if not states:
        click.echo(_NONE)
    for state in states:
        _print_state(state)
    for pack in rulepacks.overview():
        if pack.current is None:
            click.echo(f"{pack.pack.id}: no rules in use today. Install them with: {rulepacks.INSTALL_COMMAND}")


def _print_state(state: rulepacks.EditionState) -> None:
    edition = state.edition
    use = "in use" if state.is_in_use else "coming" if state.is_coming else "-"
    age = "-" if state.age is None else f"{state.age} months"
    source = edition.source.get("note") or edition.source.get("name") or "put there by hand"
    days = (str(edition.valid_from or "-"), str(edition.valid_to or "-"))
    click.echo("\t".join((edition.pack, edition.version, *days, use, age, source)))
    for warning in state.warnings:
        click.echo(f"  Warning: {warning.en}")


@rulepacks_group.command("verify")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def rulepacks_verify(as_json: bool) -> None:
    """Compare all files with their manifests and run every sheet; exit code 1 on damage."""
    rulepacks.check_place()
    results = rulepacks.verify()
    if as_json:
        rows: list[dict[str, Any]] = [
            {"pack": pack, "version": version, "sound": not lines, "problems": lines}
            for (pack, version), lines in results.items()
        ]
        print_json(rows)
    else:
        if not results:
            click.echo(_NONE)
        for (pack, version), lines in results.items():
            click.echo(f"{pack} {version}: {'damaged' if lines else 'sound'}")
            for line in lines:
                click.echo(f"  {line}")
    sys.exit(1 if any(results.values()) else 0)


@rulepacks_group.command("remove")
@click.argument("pack", type=click.Choice(list(PACKS)))
@click.argument("version")
@click.option("--even-in-use", is_flag=True, help="Also the edition that judges documents today.")
@plain_errors
def rulepacks_remove(pack: str, version: str, even_in_use: bool) -> None:
    """Remove an edition."""
    rulepacks.remove(pack, version, even_in_use=even_in_use)
    click.echo(f"{pack} {version} removed")


@rulepacks_group.command("shadow")
@click.argument("pack", type=click.Choice(list(PACKS)))
@click.argument("version")
@click.option("--days", type=click.IntRange(1, 3660), default=90, show_default=True, help="Documents of the last DAYS.")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def rulepacks_shadow(pack: str, version: str, days: int, as_json: bool) -> None:
    """Judge documents that were already made by another edition: whose would be stopped, and why."""
    found = shadow.run(pack, version, days, seconds=_TRIAL)
    if as_json:
        print_json(found.to_dict())
        return
    click.echo(f"{pack} {version}: {found.stopped} of {found.documents} documents of {days} days would be stopped")
    if found.stopped_already:
        click.echo(f"  {found.stopped_already} left out: today's rules stop them too")
    if found.unreadable:
        click.echo(f"  {found.unreadable} left out: their bytes are not in the archive")
    for rule in found.broken:
        click.echo(f"{rule.rule}: {rule.documents} documents. {rule.text.en}")
        for item in rule.customers.values():
            click.echo(f"  {item.customer}: {item.documents} ({', '.join(item.numbers)})")
    click.echo(f"Customers without a problem: {', '.join(found.passing) or 'none'}")
