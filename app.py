"""The WSGI app (``app:app``). Run as a script, it starts everything on this machine: ``python app.py``."""

import sys

if __name__ == "__main__":
    from invoiceapp.supervisor import main

    sys.exit(main())

from invoiceapp import create_app
from invoiceapp.logs import configure

configure()
app = create_app()
