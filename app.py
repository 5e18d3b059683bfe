"""The WSGI app (``app:app``). Run as a script, it starts everything on this machine: ``python app.py``."""

import gc
import sys

if __name__ == "__main__":
    from invoiceapp.supervisor import main

    sys.exit(main())

# What is imported stays; to look through all of it again and again was a quarter of the start (docs/performance.md).
gc.disable()

from invoiceapp import create_app  # noqa: E402
from invoiceapp.logs import configure  # noqa: E402

configure()
app = create_app()
gc.enable()
