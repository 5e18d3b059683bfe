from __future__ import annotations

import pytest
from support import population
from support.population import Population
from support.reachable import Reachable

from invoiceapp.models import Adaptor, Subscription, User, db
from invoiceapp.services import bell
from invoiceapp.services.configuration import preflight
from invoiceapp.services.reach import checking


@pytest.fixture(autouse=True)
def english(user: User) -> None:
    """Tests read the msgids, whatever translations are compiled."""
    user.language = "en"
    db.session.commit()


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done in the background."""
    monkeypatch.setattr(bell, "ring", lambda *_: None)
    monkeypatch.setattr(checking.providers, "ask", lambda _: None)
    monkeypatch.setattr(preflight, "refresh", lambda *_: None)
    monkeypatch.setattr(preflight, "refresh_customer", lambda *_: None)


@pytest.fixture
def out_there(monkeypatch: pytest.MonkeyPatch) -> Population:
    """Who is registered."""
    return population.install(monkeypatch)


@pytest.fixture
def bare(subscription: Subscription, adaptor: Adaptor) -> Reachable:
    """A network gateway, and no provider behind it."""
    place = Reachable(subscription, adaptor, None)  # type: ignore[arg-type]
    place.network = place.gateway("Netværk", "network", config={"lookup": "live"})
    return place


@pytest.fixture
def here(bare: Reachable) -> Reachable:
    """The same with a provider that reaches both networks."""
    bare.gateway("Sproom", "sproom", config={})
    return bare
