"""``flask proof``: whether a month-end proof still comes out as it was signed (docs/vejledning.md)."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask.cli import AppGroup

from invoiceapp.cli_output import plain_errors, print_json
from invoiceapp.domain.findings import Text
from invoiceapp.models import MonthEndProof, db
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.proof.month_end import verifying
from invoiceapp.services.proof.month_end.verifying import Changed, Verdict

proof_group = AppGroup("proof", help="Month-end proofs.")
DIFFERS = 3
_UNKNOWN = Text(
    "Intet bevis har det id eller netop den fil: filen er ændret, eller den er lavet et andet sted.",
    "No proof has that id or exactly that file: the file was changed, or it was made elsewhere.",
)


@proof_group.command("verify")
@click.argument("proof", metavar="ID|FILE")
@click.option("--json", "as_json", is_flag=True)
@plain_errors
def verify(proof: str, as_json: bool) -> None:
    """Reckon a proof again, by its id or one of its files (PDF, CSV, .p7s). Exit code 3 where something differs."""
    found = _found(proof)
    verdicts = {one.id: verifying.again(one) for one in found}
    if as_json:
        print_json([_as_json(proof_id, verdict) for proof_id, verdict in verdicts.items()])
    else:
        for proof_id, verdict in verdicts.items():
            for line in _lines(proof_id, verdict):
                click.echo(line)
    sys.exit(0 if all(verdict.holds for verdict in verdicts.values()) else DIFFERS)


def _found(text: str) -> list[MonthEndProof]:
    """Raises ``ServiceError`` where there is none."""
    row = db.session.get(MonthEndProof, text)
    path = Path(text)
    found = [row] if row else verifying.of_file(path.read_bytes()) if path.is_file() else []
    if not found:
        raise ServiceError(_UNKNOWN)
    return found


def _lines(proof_id: str, verdict: Verdict) -> list[str]:
    if verdict.holds:
        return [f"{proof_id}: the same again, byte for byte; the signature fits"]
    if verdict.is_same:
        return [f"{proof_id}: the result is the same; the CSV is worded otherwise by this version of the program"]
    rows = [f"  {one.number}: {_group(one.before)} -> {_group(one.after)}{_details(one)}" for one in verdict.rows]
    return [f"{proof_id}: DIFFERS in {', '.join([*verdict.parts, 'rows' if rows else '']).strip(', ')}", *rows]


def _group(row: dict[str, object] | None) -> object:
    return row["group"] if row else "not there"


def _details(one: Changed) -> str:
    if not one.before or not one.after:
        return ""
    names = sorted(name for name in one.before if one.before[name] != one.after.get(name))
    return f" ({', '.join(names)})"


def _as_json(proof_id: str, verdict: Verdict) -> dict[str, object]:
    return {
        "proof": proof_id, "ok": verdict.holds, "same_result": verdict.is_same, "same_csv": verdict.is_same_csv,
        "parts": verdict.parts,
        "rows": [{"number": one.number, "document": one.document_id, "before": one.before, "after": one.after} for one in verdict.rows],
    }  # fmt: skip
