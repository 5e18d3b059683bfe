"""Writing, validating, converting and memory, beside factur-x in the same run. Prints a table; ``--json FILE`` keeps it."""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from invoiceapp.domain.settings import Settings
from invoiceapp.formats.base import Format, registry
from invoiceapp.formats.validation.validator import Validator
from invoiceapp.sources.billy.source import BillySource

from . import documents
from .measure import Rate, rates

#: Goals of the product, in documents per second of one process on one core.
WRITE_GOAL = 1_000
VALIDATE_GOAL = 90
MEMORY_GOAL_MB = 350


def _facturx_writer(content: bytes) -> Callable[[], object]:
    """factur-x's UBL writer on the same business terms, read from our document by its own parser; its XSD check is off."""
    from facturx import generate_ubl_xml, parse_ubl_cii_xml

    terms = parse_ubl_cii_xml(content)
    # Copied each time, because the writer changes its input.
    return lambda: generate_ubl_xml(copy.deepcopy(terms), level="en16931", check_xsd=False, check_schematron=False)


def _write_and_validate(fmt: Format, validator: Validator, invoice: Any) -> None:
    report = validator.validate(fmt.write(invoice), fmt, invoice.type)
    if any(finding.is_fatal for finding in report.findings):
        raise SystemExit(f"the benchmark's document is not valid: {[f.rule for f in report.findings]}")


def writing() -> dict[str, Rate]:
    """Writing a 10-line invoice, ours and factur-x's."""
    invoice = documents.invoice(10)
    formats = registry()
    content = formats["peppol-bis-3"].write(invoice)
    return rates(
        {
            "write peppol-bis-3, 10 lines": partial(formats["peppol-bis-3"].write, invoice),
            "write oioubl-2.1, 10 lines": partial(formats["oioubl-2.1"].write, invoice),
            "factur-x UBL writer, 10 lines": _facturx_writer(content),
            "map Billy's records, 10 lines": partial(BillySource.convert, documents.bundle(10), Settings()),
        }
    )


def validating(rules_dir: Path | None) -> dict[str, Rate]:
    """Write + XSD + EN 16931; and with the installed packs, where there are any."""
    invoice = documents.invoice(10)
    formats = registry()
    plain = Validator(None)
    work: dict[str, Callable[[], object]] = {
        "write + XSD + EN 16931, 10 lines": partial(_write_and_validate, formats["peppol-bis-3"], plain, invoice),
        "write + XSD + EN 16931, 300 lines": partial(
            _write_and_validate, formats["peppol-bis-3"], plain, documents.invoice(300)
        ),
    }
    if rules_dir and rules_dir.is_dir():
        packs = Validator(rules_dir)
        for name in ("peppol-bis-3", "oioubl-2.1"):
            work[f"write + XSD + all packs, {name}, 10 lines"] = partial(
                _write_and_validate, formats[name], packs, invoice
            )
    return rates(work)


def worker_memory() -> tuple[int, int]:
    """Megabytes of a worker process, warmed and after 1 000 documents."""
    command = [sys.executable, "-m", "benchmarks.worker"]
    warmed, final = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(warmed), int(final)


def _verdict(name: str, rate: Rate) -> str:
    goal = {"write peppol": WRITE_GOAL, "write oioubl": WRITE_GOAL, "write + XSD + EN 16931, 10": VALIDATE_GOAL}
    wanted = next((value for start, value in goal.items() if name.startswith(start)), None)
    return "" if wanted is None else f"goal {wanted}: {'reached' if rate.median >= wanted else 'MISSED'}"


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rules_dir = Path(os.environ["RULES_DIR"]) if "RULES_DIR" in os.environ else None
    results = {**writing(), **validating(rules_dir)}
    warmed, memory = worker_memory()
    peer = results["factur-x UBL writer, 10 lines"].median
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; documents a second, one process\n")
    print(f"{'':48}{'median':>9}{'low':>9}{'high':>9}")
    for name, rate in results.items():
        print(f"{name:48}{rate.median:9.0f}{rate.low:9.0f}{rate.high:9.0f}  {_verdict(name, rate)}")
    ratio = results["write peppol-bis-3, 10 lines"].median / peer
    print(f"\nours / factur-x, writing: {ratio:.1f}")
    reached = "reached" if memory < MEMORY_GOAL_MB else "MISSED"
    print(f"worker: {warmed} MB warmed, {memory} MB after 1 000 documents (goal < {MEMORY_GOAL_MB}: {reached})")
    if arguments.json:
        figures = {name: [rate.median, rate.low, rate.high] for name, rate in results.items()}
        arguments.json.write_text(json.dumps({"rates": figures, "memory_mb": memory, "ratio": ratio}, indent=2))


if __name__ == "__main__":
    main()
