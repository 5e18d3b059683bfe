from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from invoiceapp.demo.billy.company import demo_company
from invoiceapp.demo.billy.server import serve


@pytest.fixture
def billy() -> Iterator[str]:
    """The address of a stand-in Billy that takes the token ``right``."""
    with serve("127.0.0.1", 0, demo_company(date(2026, 11, 1)), "right") as server:
        yield server.url
