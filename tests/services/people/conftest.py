"""People sign in, so they need what pages need."""

from __future__ import annotations

from typing import Any

import pytest
from support.people import Join, joined

from invoiceapp.models import Membership, Role, Subscription


@pytest.fixture
def has_pages() -> bool:
    return True


@pytest.fixture
def join(subscription: Subscription) -> Join:
    """Makes members; of the usual subscription unless another one is named."""

    def make(email: str, role: Role, *, of: Subscription | None = None, **columns: Any) -> Membership:
        return joined(of or subscription, email, role, **columns)

    return make
