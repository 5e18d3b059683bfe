"""Writing documents, format by format and size by size, and beside other libraries: ``python -m benchmarks.convert``.

The peers are measured in the same run and do the same: an invoice that lies in memory becomes bytes, nobody checks them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

from invoiceapp.domain.settings import Settings
from invoiceapp.formats.base import registry
from invoiceapp.sources.billy.source import BillySource

from . import documents, foreign, peers, results
from .measure import QUICK, Window, rates, rates_of, window

FORMATS = ("peppol-bis-3", "oioubl-2.1", "edifact-d96a", "cii", "json", "csv")
UBL = FORMATS[:2]
SIZES = (1, 10, 100, 1_000, 4_000)
PEER_SIZES = (10, 1_000)
#: Documents of 10 lines a second, and how many times as fast as the fastest peer our slower UBL writer is.
GOAL, PEER_RATIO = 1_000, 3


def by_size() -> list[dict[str, Any]]:
    """All formats; one size after the other, so that what is compared is measured in turns."""
    rows = []
    for lines in SIZES:
        invoice, formats = documents.invoice(lines), registry()
        work: dict[str, Callable[[], object]] = {name: partial(formats[name].write, invoice) for name in FORMATS}
        work["Billy's records to the model"] = partial(BillySource.convert, documents.bundle(lines), Settings())
        found = rates(work)
        rows += [{"format": name, "lines": lines, **rate.row()} for name, rate in found.items()]
        print(f"{lines} lines:", {name: round(rate.median, 1) for name, rate in found.items()}, flush=True)
    return rows


def beside_peers() -> list[dict[str, Any]]:
    """Ours and theirs in turns; the libraries of npm where npm can fetch them."""
    rows = []
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(foreign.node(PEER_SIZES))
        for lines in PEER_SIZES[:1] if QUICK else PEER_SIZES:
            found = rates_of(_writers(lines) | (node(lines) if node else {}))
            ours = found["invoiceapp, UBL"].median
            for name, rate in found.items():
                row = {"who": name, "lines": lines, **rate.row(), "invoiceapp_UBL_is_times_as_fast": ours / rate.median}
                rows.append(row)
                print(f"{name}, {lines} lines: {rate.median:.1f}", flush=True)
    return rows


def _writers(lines: int) -> dict[str, Window]:
    invoice, formats = documents.invoice(lines), registry()
    work: dict[str, Callable[[], object]] = {
        "invoiceapp, UBL": partial(formats["peppol-bis-3"].write, invoice),
        "factur-x, UBL": peers.facturx_ubl(invoice),
        "factur-x, CII": peers.facturx_cii(invoice),
        "drafthorse, CII": peers.drafthorse_cii(invoice),
    }
    return {name: partial(window, one) for name, one in work.items()}


def verdicts(rows: list[dict[str, Any]], beside: list[dict[str, Any]]) -> list[str]:
    """What was promised, and whether it is so."""
    ten = {row["format"]: row["median"] for row in rows if row["lines"] == 10}
    slower = min(ten[name] for name in UBL)
    fastest = max(
        row["median"] for row in beside if row["lines"] == 10 and row["who"].startswith(("factur-x", "draft"))
    )
    return [
        results_line("our slower UBL writer, documents a second", slower, GOAL),
        results_line("our slower UBL writer / the fastest Python peer", slower / fastest, PEER_RATIO),
    ]


def results_line(name: str, value: float, goal: float) -> str:
    """For people."""
    return f"{name}: {value:.1f} (goal {goal:g}: {'reached' if value >= goal else 'MISSED'})"


def main() -> None:
    """Measure, print and keep."""
    rows, beside = by_size(), beside_peers()
    found = verdicts(rows, beside)
    print("\n".join(found))
    results.write("convert", results.command(), rows, note=_NOTE, verdicts=found)
    results.write(
        "convert-peers", results.command(), beside, title="Writing an invoice", note=_PEERS_NOTE, verdicts=found
    )


_NOTE = "Documents a second of one process, medians of windows in turns. The last row reads the source's records into the model."
_PEERS_NOTE = (
    "Only rows of the same duty may be compared: UBL with UBL, CII with CII. `@e-invoice-eu/core` compiles its JSON schema for each "
    "document; what its UBL leaves out of ours was not asked. The checks of all are switched off where they can be."
)

if __name__ == "__main__":
    results.no_arguments(__doc__)
    main()
