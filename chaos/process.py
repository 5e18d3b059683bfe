"""A worker or clock of the product, in a hurry and with a clock that may be wrong.

``python -m chaos.process worker|clock OFFSET_FILE``; the rest is the product's own ``main``.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    kind, offset = sys.argv[1:]
    # Those were ours; the product's own programs read theirs.
    del sys.argv[1:]
    from chaos import timing
    from invoiceapp.jobs import clock, worker

    timing.hurry()
    timing.be_wrong(Path(offset))
    {"worker": worker.main, "clock": clock.main}[kind]()


if __name__ == "__main__":
    main()
