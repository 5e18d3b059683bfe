"""The WSGI app (``app:app``). Run as a script, it starts everything on this machine: ``python app.py``."""

import gc
import sys

if __name__ == "__main__":
    from invoiceapp.supervisor import main

    sys.exit(main())

# What is imported stays: to look through all of it again and again, last in the first request, was a third of the time until
# the first page (docs/performance.md).
gc.disable()

from invoiceapp import create_app  # noqa: E402
from invoiceapp.logs import configure  # noqa: E402

configure()
app = create_app()
gc.freeze()
gc.enable()
