"""Memory of a worker: the app without pages, all rules compiled, a thousand documents judged, some PDFs drawn.

Run as a process of its own (``python -m benchmarks.worker``); prints megabytes: after warming, and at the end.
"""

from __future__ import annotations

import os
import tempfile

from invoiceapp import create_app
from invoiceapp.formats.base import registry
from invoiceapp.services.export import drawing
from invoiceapp.services.export.validators import validator, warm

from . import documents

DOCUMENTS = 500


def resident_mb() -> float:
    """What the kernel counts for this process now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("INSTANCE_DIR", folder)
        with create_app(pages=False).app_context():
            warm()
            warmed = resident_mb()
            invoice = documents.invoice(10)
            for name in ("peppol-bis-3", "oioubl-2.1"):
                fmt = registry()[name]
                for _ in range(DOCUMENTS):
                    validator().validate(fmt.write(invoice), fmt, invoice.type)
            for _ in range(5):
                drawing.draw(invoice)
            print(f"{warmed:.0f} {resident_mb():.0f}")


if __name__ == "__main__":
    main()
