"""Memory of a worker: the app without pages, all rules compiled, a thousand documents judged, some PDFs drawn.

A process of its own, so that nothing else is counted: ``python -m benchmarks.worker``.
"""

from __future__ import annotations

import os
import tempfile

from invoiceapp import create_app
from invoiceapp.formats.base import registry
from invoiceapp.services.export import drawing
from invoiceapp.services.export.validators import validator

from . import documents, results

DOCUMENTS = 500
#: Megabytes.
GOAL = 350


def resident_mb() -> float:
    """What the kernel counts for this process now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("INSTANCE_DIR", folder)
        with create_app(pages=False).app_context():
            validator().warm(list(registry().values()))
            warmed = resident_mb()
            invoice = documents.invoice(10)
            for name in ("peppol-bis-3", "oioubl-2.1"):
                fmt = registry()[name]
                for _ in range(DOCUMENTS):
                    validator().validate(fmt.write(invoice), fmt, invoice.type)
            for _ in range(5):
                drawing.draw(invoice)
            final = resident_mb()
    verdict = "reached" if final < GOAL else "MISSED"
    print(f"worker: {warmed:.0f} MB warmed, {final:.0f} MB after {2 * DOCUMENTS} documents (goal < {GOAL}: {verdict})")
    row = {
        "process": "worker, all rules compiled",
        "warmed_mb": warmed,
        "documents": 2 * DOCUMENTS,
        "final_mb": final,
        "goal_mb": GOAL,
    }
    results.write("memory", results.command(), [row])


if __name__ == "__main__":
    results.no_arguments(__doc__)
    main()
