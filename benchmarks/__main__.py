"""Writing, checking, validating, growth and memory, beside peers in the same run; the pages of a large adaptor; the gateways; AS4; the look-up of many customers.

Prints tables; ``--json FILE`` keeps the figures. The official packs are measured
where ``RULES_DIR`` holds them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.settings import Settings
from invoiceapp.formats.base import Format, registry
from invoiceapp.formats.validation.validator import Validator
from invoiceapp.sources.billy.source import BillySource

from . import as4, customers, documents, gateways, network, peers, schedules
from .measure import Rate, rates

TEXT_FORMATS = ("peppol-bis-3", "oioubl-2.1", "edifact-d96a", "cii", "json", "csv")
UBL = ("peppol-bis-3", "oioubl-2.1")
SIZES = (1, 10, 100, 1_000, 4_000)
#: Goals of the product, in documents per second of one process on one core, by the start of the name.
GOALS = {
    "write peppol": 1_000, "write oioubl": 1_000, "built-in rules": 1_000, "write + XSD + EN 16931, 10": 90,
    "whole chain": 70, "whole chain, two": 130,
}  # fmt: skip
LONGEST_SECONDS = 3.0
PEER_RATIO = 3
MEMORY_GOAL_MB = 350


def write_and_validate(fmt: Format, validator: Validator, invoice: Invoice) -> None:
    """The whole chain of one document: built-in rules, bytes, XSD and rule sets."""
    refused = [finding for finding in fmt.check(invoice) if finding.is_fatal]
    report = validator.validate(fmt.write(invoice), fmt, invoice.type)
    refused += [finding for finding in report.findings if finding.is_fatal]
    if refused:
        raise SystemExit(f"the benchmark's document is not valid: {[finding.rule for finding in refused]}")


def writing() -> dict[str, Rate]:
    """Mapping, built-in rules and writing of a 10-line invoice, and the peers' writing."""
    invoice, formats = documents.invoice(10), registry()
    work: dict[str, Callable[[], object]] = {
        f"write {name}, 10 lines": partial(formats[name].write, invoice) for name in TEXT_FORMATS
    }
    return rates(
        {
            **work,
            "factur-x UBL, 10 lines": peers.facturx_ubl(invoice),
            "factur-x CII, 10 lines": peers.facturx_cii(invoice),
            "drafthorse CII, 10 lines": peers.drafthorse_cii(invoice),
            "map Billy's records, 10 lines": partial(BillySource.convert, documents.bundle(10), Settings()),
            "built-in rules peppol-bis-3, 10 lines": partial(formats["peppol-bis-3"].check, invoice),
            "built-in rules oioubl-2.1, 10 lines": partial(formats["oioubl-2.1"].check, invoice),
        }
    )


def validating(rules_dir: Path | None) -> dict[str, Rate]:
    """The chain with what every installation has; and with the installed packs, where there are any."""
    invoice, formats, plain = documents.invoice(10), registry(), Validator(None)
    work: dict[str, Callable[[], object]] = {
        "write + XSD + EN 16931, 10 lines": partial(write_and_validate, formats["peppol-bis-3"], plain, invoice)
    }
    if rules_dir:
        packs = Validator(rules_dir)
        for name in UBL:
            work[f"whole chain, {name}, 10 lines"] = partial(write_and_validate, formats[name], packs, invoice)
    return rates(work)


def two_processes(name: str) -> Rate:
    """Documents a second of two processes together, in the whole chain."""
    command = [sys.executable, "-m", "benchmarks.chain", name]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found = [[float(figure) for figure in (process.communicate()[0] or "").split()] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit("a benchmark process failed")
    windows = sorted(map(sum, zip(*found, strict=True)))
    return Rate(windows[len(windows) // 2], windows[0], windows[-1])


def growth(rules_dir: Path | None) -> list[tuple[int, dict[str, float]]]:
    """Milliseconds by number of lines: writing, and the whole chain."""
    formats, validator = registry(), Validator(rules_dir)
    table = []
    for lines in SIZES:
        invoice = documents.invoice(lines)
        row: dict[str, float] = {}
        for name in UBL:
            row[f"write {name}"] = _milliseconds(partial(formats[name].write, invoice))
            row[f"chain {name}"] = _milliseconds(partial(write_and_validate, formats[name], validator, invoice))
        table.append((lines, row))
    return table


def _milliseconds(work: Callable[[], object]) -> float:
    """The best of three, because the machine's other work can only add."""
    work()
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best * 1_000


def worker_memory() -> tuple[int, int]:
    """Megabytes of a worker process, warmed and after 1 000 documents."""
    command = [sys.executable, "-m", "benchmarks.worker"]
    warmed, final = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(warmed), int(final)


def _verdict(name: str, rate: Rate) -> str:
    wanted = max((start for start in GOALS if name.startswith(start)), key=len, default=None)
    if wanted is None:
        return ""
    return f"goal {GOALS[wanted]}: {'reached' if rate.median >= GOALS[wanted] else 'MISSED'}"


def _reached(is_reached: bool) -> str:
    return "reached" if is_reached else "MISSED"


def _print_rates(results: dict[str, Rate]) -> None:
    print(f"{'documents a second, one process':48}{'median':>9}{'low':>9}{'high':>9}")
    for name, rate in results.items():
        print(f"{name:48}{rate.median:9.0f}{rate.low:9.0f}{rate.high:9.0f}  {_verdict(name, rate)}")


def _print_growth(table: list[tuple[int, dict[str, float]]]) -> None:
    names = list(table[0][1])
    print(f"\n{'milliseconds':>12}" + "".join(f"{name:>22}" for name in names) + "   (and per line)")
    for lines, row in table:
        print(f"{lines:6} lines" + "".join(f"{row[name]:13.1f} ({row[name] / lines:6.3f})" for name in names))
    longest = max(value for name, value in table[-1][1].items() if name.startswith("chain")) / 1_000
    print(f"{SIZES[-1]} lines through the whole chain: {longest:.2f} s (goal < {LONGEST_SECONDS:g} s: "
          f"{_reached(longest < LONGEST_SECONDS)})")  # fmt: skip


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rules_dir = Path(os.environ["RULES_DIR"]) if Path(os.environ.get("RULES_DIR", "/nowhere")).is_dir() else None
    results = {**writing(), **validating(rules_dir)}
    if rules_dir:
        results |= {f"whole chain, two processes, {name}": two_processes(name) for name in UBL}
    table = growth(rules_dir)
    warmed, memory = worker_memory()
    pages = customers.measure()
    sends = gateways.measure()
    messages = as4.measure()
    lookups = network.measure()
    due = schedules.measure()
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores; official packs: {'yes' if rules_dir else 'no'}\n"
    )
    _print_rates(results)
    _print_growth(table)
    fastest = max(rate.median for name, rate in results.items() if name.startswith(("factur-x", "drafthorse")))
    ratio = min(results[f"write {name}, 10 lines"].median for name in UBL) / fastest
    print(f"our slower UBL writer / the fastest peer: {ratio:.1f} (goal {PEER_RATIO}: {_reached(ratio >= PEER_RATIO)})")
    print(f"worker: {warmed} MB warmed, {memory} MB after 1 000 documents (goal < {MEMORY_GOAL_MB}: "
          f"{_reached(memory < MEMORY_GOAL_MB)})")  # fmt: skip
    customers.show(pages)
    gateways.show(sends)
    as4.show(messages)
    network.show(lookups)
    schedules.show(due)
    if arguments.json:
        figures: dict[str, Any] = {name: [rate.median, rate.low, rate.high] for name, rate in results.items()}
        kept = {
            "rates": figures,
            "growth": dict(table),
            "memory_mb": memory,
            "ratio": ratio,
            "customers": customers.plain(pages),
            "gateways": gateways.plain(sends),
            "as4": as4.plain(messages),
            "network": lookups,
            "schedules": due,
        }
        arguments.json.write_text(json.dumps(kept, indent=2))


if __name__ == "__main__":
    main()
