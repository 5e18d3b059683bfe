"""A worker in the middle of a transaction: ``python -m tests.hosts.orphan DELIVERY_ID``; says ``held``, and never goes on."""

from __future__ import annotations

import sys
import threading

from sqlalchemy import update

from chaos import timing
from invoiceapp.models import Delivery, db


def main() -> None:
    timing.hurry()
    from invoiceapp import create_app

    with create_app(pages=False).app_context():
        db.session.execute(update(Delivery).where(Delivery.id == sys.argv[1]).values(tries=Delivery.tries + 1))
        print("held", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
