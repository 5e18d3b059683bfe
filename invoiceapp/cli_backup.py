"""``flask backup``, ``flask restore``, ``flask retention``, ``flask export-records`` (docs/backup.md)."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click
from flask.cli import AppGroup

from invoiceapp.cli_output import plain_errors, print_json
from invoiceapp.services.keeping import backup, deleting, readable, restore, resuming, retention
from invoiceapp.services.keeping.backup import Contents

DAMAGED = 1
_FILE = click.Path(path_type=Path, dir_okay=False)
_DAY = click.DateTime(formats=["%Y-%m-%d"])


class _WithDefault(AppGroup):
    """``flask backup FILE`` is ``flask backup write FILE``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["write", *args]
        return super().resolve_command(ctx, args)


backup_group = _WithDefault("backup", help="Write a sealed backup of everything (flask backup FILE), or verify one.")
retention_group = AppGroup("retention", help="What is deleted, and when.")


@backup_group.command("write")
@click.argument("file", type=_FILE)
@click.option("--no-archive", is_flag=True, help="Rows only; the archive folder is copied in another way.")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def backup_write(file: Path, no_archive: bool, as_json: bool) -> None:
    """Write FILE, whole or not at all. Exit code 1 where the archive has damaged or missing files."""
    contents = backup.write(file, with_archive=not no_archive)
    _print(contents, as_json, "written")
    _tell_of_damage(contents)


@backup_group.command("verify")
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def backup_verify(file: Path, as_json: bool) -> None:
    """Read all of FILE, and compare every row and file with what the backup says of them."""
    contents = backup.verify(file)
    _print(contents, as_json, "sound: opened to its end, every table and file compared with its SHA-256")
    _tell_of_damage(contents)


def _print(contents: Contents, as_json: bool, verdict: str) -> None:
    if as_json:
        print_json(
            {
                "taken_at": contents.taken_at.isoformat(), "product": contents.product, "revision": contents.revision,
                "key": contents.key_id, "has_archive": contents.has_archive, **contents.manifest(),
            }
        )  # fmt: skip
        return
    click.echo(f"taken at: {contents.taken_at.isoformat(timespec='seconds')}")
    click.echo(f"tables: {len(contents.tables)}, rows: {contents.rows}")
    files = f"{contents.files} ({contents.bytes} bytes)" if contents.has_archive else "left out"
    click.echo(f"files of the archive: {files}")
    click.echo(verdict)


def _tell_of_damage(contents: Contents) -> None:
    for sha256 in contents.damaged:
        click.echo(f"  damaged in the archive, left out: {sha256}", err=True)
    if contents.missing:
        click.echo(f"  missing from the archive: {contents.missing} files that documents refer to", err=True)
    sys.exit(DAMAGED if contents.damaged or contents.missing else 0)


@click.command("restore")
@click.argument("file", type=_FILE, required=False)
@click.option(
    "--resume", metavar="SUBSCRIPTION", help="After a restore: let the schedules of a subscription run again."
)
@plain_errors
def restore_command(file: Path | None, resume: str | None) -> None:
    """Load the backup FILE into an empty database; stop web, worker and clock before."""
    if (file is None) == (resume is None):
        raise click.UsageError("Give either FILE or --resume SUBSCRIPTION.")
    if resume is not None:
        click.echo(f"schedules that run again: {resuming.resume(retention.subscription_of(resume).id, 'command')}")
        return
    assert file is not None
    done = restore.restore(file)
    click.echo(f"restored: {done.contents.rows} rows, {done.contents.files} files")
    found = done.aftermath
    click.echo(f"deliveries of which nobody knows what became of them: {found.unknown}")
    click.echo(f"documents that waited for their conversion, listed now: {found.listed}")
    click.echo(f"runs and jobs ended: {found.ended}; mails and webhooks not sent: {found.unsent}")
    click.echo(f"schedules that wait for a person: {found.schedules}")
    click.echo("Everybody signs in anew. What was approved before now is sent only where a person chooses it.")


@retention_group.command("show")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def retention_show(as_json: bool) -> None:
    """For each subscription: what is kept how long, what is due for deletion, and what a hold keeps."""
    plans = [retention.plan(subscription) for subscription in retention.subscriptions()]
    if as_json:
        print_json([plan.to_dict() for plan in plans])
        return
    for plan in plans:
        months = ", ".join(map(str, plan.last_months))
        click.echo(f"{plan.name}: {plan.years} years after the end of the financial year (month {months})")
        click.echo(f"  dated up to {plan.until}: {plan.due} due, {plan.held} held, {plan.open} not ended")


@retention_group.command("run")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@plain_errors
def retention_run(dry_run: bool) -> None:
    """Delete what is due; as every night."""
    for subscription in retention.subscriptions():
        if dry_run:
            plan = retention.plan(subscription)
            click.echo(f"{plan.name}: {plan.due} documents dated up to {plan.until} would be deleted")
        else:
            done = deleting.run(subscription.id)
            click.echo(f"{subscription.name}: {done.documents} documents and {done.files} files deleted")


@click.command("export-records")
@click.argument("target", metavar="ZIP|FOLDER", type=click.Path(path_type=Path))
@click.option("--subscription", required=True, help="Its name or id.")
@click.option("--adaptor", "adaptor_id", help="Only this adaptor's, by its id.")
@click.option("--from", "first", type=_DAY, help="Documents dated from this day on.")
@click.option("--to", "last", type=_DAY, help="Documents dated up to this day.")
@plain_errors
def export_records(
    target: Path, subscription: str, adaptor_id: str | None, first: datetime | None, last: datetime | None
) -> None:
    """Write documents with their files and evidence as pages that need no program; a zip where TARGET ends so."""
    chosen = readable.Choice(
        retention.subscription_of(subscription).id,
        adaptor_id,
        first.date() if first else None,
        last.date() if last else None,
    )
    written = readable.write(target, chosen)
    click.echo(f"{written.documents} documents and {written.files} files written to {target}")
    if written.missing:
        click.echo(f"  missing from the archive: {written.missing} files; their pages say so", err=True)
        sys.exit(DAMAGED)
