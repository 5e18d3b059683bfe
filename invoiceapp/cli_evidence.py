"""``flask evidence``: make an evidence pack, and check one, with or without a database (docs/decisions/0036)."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click
from flask.cli import AppGroup

from invoiceapp.cli_output import plain_errors, print_json
from invoiceapp.services.proof.evidence import checking, pack
from invoiceapp.services.proof.evidence.checking import Verdict

evidence_group = AppGroup("evidence", help="Evidence packs: make one, check one.")
DOES_NOT_HOLD = 1


@evidence_group.command("pack")
@click.option("--document", "document_ids", multiple=True, required=True, help="A document's id; may be repeated.")
@click.option("--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The zip to write.")
@plain_errors
def make(document_ids: tuple[str, ...], output: Path) -> None:
    """Write a pack of these documents, whole or not at all."""
    pack.write(output, document_ids, "command")
    click.echo(f"written: {output} (documents: {len(set(document_ids))}, {output.stat().st_size} bytes)")


@evidence_group.command("verify")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--certificate", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Of whoever is to have signed it (PEM), got from themselves; then no database is needed.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def verify(file: Path, certificate: Path | None, as_json: bool) -> None:
    """Say what holds of the pack FILE and what does not. Exit code 1 where anything does not."""
    with file.open("rb") as opened:
        verdict = checking.check(opened, certificate.read_bytes() if certificate else None)
    if as_json:
        print_json(_as_json(verdict))
    else:
        for one in verdict.checks:
            click.echo(f"{'ok ' if one.holds else 'NO '} {one.text.en}")
        if made := verdict.made:
            click.echo(f"    made {made['at']} by {made['by']} with {made['product']}, as it says itself")
        click.echo("The pack holds." if verdict.holds else "The pack does not hold.")
    sys.exit(0 if verdict.holds else DOES_NOT_HOLD)


def _as_json(verdict: Verdict) -> dict[str, object]:
    signed = verdict.signed
    return {
        "holds": verdict.holds,
        "checks": [asdict(one) for one in verdict.checks],
        "signed": {
            "fingerprint": signed.fingerprint, "name": signed.name, "is_ours": signed.is_ours,
            "at": signed.at.isoformat() if signed.at else None,
        } if signed else None,
        "documents": verdict.documents,
    }  # fmt: skip
