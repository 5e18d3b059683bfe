"""The access-point providers of the demo: Sproom sends to the demo's networks, the others take whatever they get."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from invoiceapp.domain.identifiers import Participant
from invoiceapp.processes import free_port

from ..networks.population import Condition, Population
from . import accesspoint_api, ecourier_api, recommand_api, storecove_api
from .buyers import demo_conduct
from .json_api import JsonApi
from .sproom_demo import DemoSproom
from .timed_account import TimedAccount


@dataclass(frozen=True, slots=True)
class Provider:
    """What somebody needs to make a gateway to it."""

    kind: str
    base_url: str
    settings: Mapping[str, str]
    """The others, the access key among them, by name of the gateway's field"""


@dataclass(frozen=True, slots=True)
class Providers:
    """All of them, running."""

    account: TimedAccount
    """What Sproom got"""
    all: tuple[Provider, ...]

    @property
    def urls(self) -> dict[str, str]:
        """Base addresses by kind."""
        return {one.kind: one.base_url for one in self.all}


@contextmanager
def serve_providers(
    folder: Path, population: Population, ports: Mapping[str, int] | None = None
) -> Iterator[Providers]:  # fmt: skip
    """Serve for as long as the block lasts. ``folder`` keeps what Sproom got; ``ports``: wanted ones, by kind of gateway."""
    account = TimedAccount(folder / "documents", is_reachable_in(population), demo_conduct())
    wanted = ports or {}
    with ExitStack() as stack:
        sproom = DemoSproom(account, folder, free_port(wanted.get("sproom", 0)))
        stack.callback(sproom.close)
        found = [Provider("sproom", sproom.base_url, {"token": sproom.token})]
        for kind, make in _OTHERS.items():
            api = make(free_port(wanted.get(kind, 0)))
            stack.callback(api.close)
            found.append(Provider(kind, getattr(api, "base_url", api.url), _SETTINGS[kind]))
        yield Providers(account, tuple(found))


def is_reachable_in(population: Population) -> Callable[[Participant], bool]:
    """Tells who is registered with something that still holds."""

    def is_reachable(participant: Participant) -> bool:
        listing = population.get(participant)
        return listing is not None and listing.condition not in (Condition.ENDED, Condition.OLD_CERTIFICATE)

    return is_reachable


_OTHERS: Mapping[str, Callable[[int], JsonApi]] = {
    "ecourier": lambda port: ecourier_api.ECourierApi(port=port),
    "storecove": lambda port: storecove_api.StorecoveApi(port=port),
    "recommand": lambda port: recommand_api.RecommandApi(port=port),
    "accesspoint": lambda port: accesspoint_api.AccessPointApi(port=port),
}
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "ecourier": {"token": ecourier_api.DEMO_TOKEN},
    "storecove": {"token": storecove_api.DEMO_TOKEN, "legal_entity": str(storecove_api.DEMO_LEGAL_ENTITY)},
    "recommand": {
        "company": recommand_api.DEMO_COMPANY, "api_key": recommand_api.DEMO_KEY, "api_secret": recommand_api.DEMO_SECRET,
    },
    "accesspoint": {
        "token": accesspoint_api.DEMO_TOKEN, "auth": "bearer", "reach": "both", "repeats": "conflict", "id_path": "data.id",
        "state_path": "data.state", "status_path": "documents/{id}/status",
    },
}  # fmt: skip
