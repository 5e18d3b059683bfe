"""What the figures are measured on can be built."""

from __future__ import annotations

import sys
from pathlib import Path

import sqlalchemy as sa

from invoiceapp.models import Delivery, Document, db

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import million


def test_documents_by_the_million_are_written_as_the_tables_are_today(app, monkeypatch):
    monkeypatch.setattr(million, "CUSTOMERS", 100)
    million.build(100)
    count = sa.select(sa.func.count())
    assert db.session.scalar(count.select_from(Document)) == 100
    assert 80 < db.session.scalar(count.select_from(Delivery)) <= 100
