"""Validating documents, layer by layer and size by size, and beside phive: ``python -m benchmarks.validate``.

The official sheets are measured where ``RULES_DIR`` holds their packs (else ``build/interop/rules`` and ``instance/rules`` are
looked at). phive does what our row "XSD and both sheets" does: schema, EN 16931 and Peppol's rules, over the same bytes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from invoiceapp.domain.invoice import DocumentType, Invoice
from invoiceapp.formats.base import Format, registry
from invoiceapp.formats.validation.validator import Validator, parse_xml

from . import documents, foreign, results
from .measure import QUICK, Rate, Window, rates, rates_of, window

SIZES = (1, 10, 100, 1_000, 4_000)
UBL = ("peppol-bis-3", "oioubl-2.1")
PEER_SIZES = (10, 100)
#: Documents of 10 lines a second of one process, and of two; seconds for the longest document.
GOAL, TWO_GOAL, LONGEST = 70, 130, 3.0


def rules_dir() -> Path | None:
    """Where the official packs are installed, or None."""
    places = [Path(os.environ.get("RULES_DIR", "/nowhere")), Path("build/interop/rules"), Path("instance/rules")]
    return next((place for place in places if place.is_dir() and any(place.iterdir())), None)


def write_and_validate(fmt: Format, validator: Validator, invoice: Invoice) -> None:
    """The whole chain of one document: built-in rules, bytes, XSD and rule sets."""
    refused = [finding for finding in fmt.check(invoice) if finding.is_fatal]
    report = validator.validate(fmt.write(invoice), fmt, invoice.type)
    refused += [finding for finding in report.findings if finding.is_fatal]
    if refused:
        raise SystemExit(f"the benchmark's document is not valid: {[finding.rule for finding in refused]}")


def layers(lines: int, packs: Path | None) -> dict[str, Callable[[], object]]:
    """Each layer alone, over bytes or trees that were made beforehand, and the whole chain."""
    invoice, formats, validator = documents.invoice(lines), registry(), Validator(packs)
    content = {name: formats[name].write(invoice) for name in UBL}
    work: dict[str, Callable[[], object]] = {
        f"built-in rules, {name}": partial(formats[name].check, invoice) for name in UBL
    }
    for name in UBL:
        schema = formats[name].schemas[DocumentType.INVOICE]
        root = parse_xml(content[name])
        work[f"XSD, {name}"] = partial(validator._xsd_findings, root, str(schema.xsd))
        for rules in schema.rules:
            if rules == "en16931-ubl" or packs:
                work[f"sheet {rules}"] = partial(validator.judge, root, (rules,))
    for name in UBL if packs else UBL[:1]:
        work[f"whole chain, {name}"] = partial(write_and_validate, formats[name], validator, invoice)
    return work


def by_size(packs: Path | None) -> list[dict[str, Any]]:
    """All layers; one size after the other."""
    rows = []
    for lines in SIZES:
        found = rates(layers(lines, packs), rounds=3 if lines > 100 or QUICK else 5)
        rows += [{"layer": name, "lines": lines, **rate.row()} for name, rate in found.items()]
        print(f"{lines} lines:", {name: round(rate.median, 1) for name, rate in found.items()}, flush=True)
    return rows


def two_processes(name: str, packs: Path) -> Rate:
    """Documents a second of two processes together, in the whole chain."""
    command = [sys.executable, "-m", "benchmarks.chain", name]
    environment = {**os.environ, "RULES_DIR": str(packs)}
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    found = [[float(figure) for figure in (process.communicate()[0] or "").split()] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit("a benchmark process failed")
    windows = sorted(map(sum, zip(*found, strict=True)))
    return Rate(windows[len(windows) // 2], windows[0], windows[-1])


def beside_phive(packs: Path | None) -> list[dict[str, Any]]:
    """Ours and phive's in turns. Both read the bytes each time."""
    rows = []
    fmt, validator = registry()["peppol-bis-3"], Validator(packs)
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(foreign.phive(PEER_SIZES))
        for lines in PEER_SIZES:
            content = fmt.write(documents.invoice(lines))
            ours = partial(validator.validate, content, fmt, DocumentType.INVOICE)
            windows: dict[str, Window] = {"invoiceapp": partial(window, ours)}
            found = rates_of(windows | (peer(lines) if peer else {}))
            for name, rate in found.items():
                part = found["invoiceapp"].median / rate.median
                rows.append({"who": name, "lines": lines, **rate.row(), "invoiceapp_is_times_as_fast": part})
                print(f"{name}, {lines} lines: {rate.median:.1f}", flush=True)
    return rows


def main() -> None:
    """Measure, print and keep."""
    packs = rules_dir()
    if packs is None:
        print("no official packs: `make rulepacks` or `make interop` fetches them; EN 16931 alone is measured")
    rows = by_size(packs)
    for name in UBL if packs else ():
        rate = two_processes(name, packs)
        rows.append({"layer": f"whole chain, two processes, {name}", "lines": 10, **rate.row()})
        print(f"two processes, {name}: {rate.median:.0f} (goal {TWO_GOAL}: {_met(rate.median >= TWO_GOAL)})")
    chains = [row for row in rows if row["layer"].startswith("whole chain") and "two" not in row["layer"]]
    slowest = min(row["median"] for row in chains if row["lines"] == 10)
    longest = max(1 / row["median"] for row in chains if row["lines"] == SIZES[-1])
    print(f"the slower chain, 10 lines: {slowest:.0f} documents a second (goal {GOAL}: {_met(slowest >= GOAL)})")
    print(f"{SIZES[-1]} lines: {longest:.2f} s (goal < {LONGEST:g}: {_met(longest < LONGEST)})")
    note = f"Documents a second of one process; official packs: {'yes' if packs else 'no, EN 16931 alone'}."
    results.write("validate", results.command(), rows, note=note)
    results.write(
        "validate-peers",
        results.command(),
        beside_phive(packs),
        title="Validating an invoice: XSD and both sheets",
        note=_NOTE,
    )


def _met(is_met: bool) -> str:
    return "reached" if is_met else "MISSED"


_NOTE = (
    "XSD, EN 16931 and Peppol's rules over the same bytes, read anew each time; phive 12 in a JVM that has worked for "
    f"{foreign.WARM} seconds before. Without official packs ours lacks Peppol's rules, and the rows may not be compared."
)

if __name__ == "__main__":
    results.no_arguments(__doc__)
    main()
