"""``flask audit``: whether the audit log is as it was written, and its export (docs/audit.md)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

import click
from flask.cli import AppGroup

from invoiceapp.cli_output import plain_errors, print_json
from invoiceapp.services.audit import verify as audit_verify
from invoiceapp.services.audit.verify import Verdict

audit_group = AppGroup("audit", help="The audit log: verify it, export it.")
BROKEN = 3


@audit_group.command("verify")
@click.option("--subscription", help="Only this subscription's chain, by its id; or 'installation'.")
@click.option("--head", help="A hash that was noted earlier: it must be in a chain.")
@click.option("--file", type=click.File(encoding="utf-8"), help="An export instead of the database.")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def verify(subscription: str | None, head: str | None, file: TextIO | None, as_json: bool) -> None:
    """Compute all hashes anew. Exit code 3 where something was changed, taken out or put in."""
    wanted = head.strip().lower() if head else None
    found = audit_verify.verify_file(file, wanted) if file else audit_verify.verify_all(subscription, wanted)
    if as_json:
        print_json([_as_json(one) for one in found])
    else:
        for one in found:
            click.echo(_line(one))
        if not found:
            click.echo("no entries")
    is_whole = all(one.is_whole for one in found) and (found or not head)
    sys.exit(0 if is_whole else BROKEN)


def _line(one: Verdict) -> str:
    if one.problem:
        return f"{one.chain}: BROKEN at entry {one.at}: {one.problem.en}"
    released = f", entries up to {one.released} were deleted when their time was over" if one.released else ""
    known = "" if one.is_known is None else "; has the noted head" if one.is_known else "; DOES NOT HAVE the noted head"
    return f"{one.chain}: {one.count} entries ({one.first}–{one.last}) fit{released}; head {one.hash}{known}"


def _as_json(one: Verdict) -> dict[str, object]:
    return {
        "chain": one.chain, "ok": one.is_whole, "first": one.first, "last": one.last, "head": one.hash,
        "released": one.released, "has_noted_head": one.is_known,
        "problem": {"entry": one.at, "text": one.problem.en} if one.problem else None,
    }  # fmt: skip


@audit_group.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--subscription", help="Only this subscription's chain, by its id; or 'installation'.")
@plain_errors
def export(file: Path, subscription: str | None) -> None:
    """Write all entries as JSON lines, with their hashes, to FILE."""
    with file.open("x", encoding="utf-8") as target:
        for line in audit_verify.export(subscription):
            target.write(line)
    for head in audit_verify.heads(subscription):
        click.echo(f"{head.chain}: {head.seq} entries, head {head.hash}")
