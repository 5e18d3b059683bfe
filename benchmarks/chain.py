"""One process of several in the whole chain: ``python -m benchmarks.chain FORMAT`` prints documents a second by window."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from invoiceapp.formats.base import registry
from invoiceapp.formats.validation.validator import Validator

from . import documents
from .measure import window
from .validate import write_and_validate

WINDOWS = 5


def main() -> None:
    """Warm up, measure and print."""
    fmt, validator = registry()[sys.argv[1]], Validator(Path(os.environ["RULES_DIR"]))
    work = partial(write_and_validate, fmt, validator, documents.invoice(10))
    window(work, 1.0)
    print(*(f"{window(work, 1.0):.2f}" for _ in range(WINDOWS)))


if __name__ == "__main__":
    main()
