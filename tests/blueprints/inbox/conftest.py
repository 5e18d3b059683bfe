from __future__ import annotations

import pytest

from invoiceapp.models import User, db


@pytest.fixture(autouse=True)
def english(user: User) -> None:
    """Tests read the msgids, whatever translations are compiled."""
    user.language = "en"
    db.session.commit()
