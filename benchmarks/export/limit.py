"""How fast an export could be at most, from its parts.

With N workers on C cores, for each document: ``calls`` to Billy of ``latency`` each over ``fetching`` connections, ``convert`` the
CPU of mapping, both kinds of rules, writing and archiving, ``send`` one send (by the wall, and its CPU on our side), ``commit`` one
small transaction, of which there are ``transactions``, and ``others`` the CPU of whoever shares the machine (the stand-in Billy,
the partner, Valkey, the clock, PostgreSQL). Documents a second:

    fetch    = fetching / (calls x latency)
    workers  = N / (convert + send's CPU + transactions x commit's CPU)
    cores    = C / (convert + send's CPU + transactions x commit's CPU + others)
    gateway  = min(N, connections) / send
    database = writers / (transactions x commit), with one writer on SQLite, N on PostgreSQL
    limit    = the smallest

``calls``, ``fetching``, ``transactions`` and ``others`` are counted during the run, the rest is measured alone before it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .parts import Part


@dataclass(frozen=True, slots=True)
class Parts:
    """All that the limit is computed from; times in milliseconds a document."""

    workers: int
    cores: int
    calls: float
    latency: float
    fetching: int
    convert: Part
    send: Part
    connections: int
    commit: Part
    transactions: float
    others: float
    writers: int

    def resources(self) -> dict[str, float]:
        """Documents a second of each."""
        ours = self.convert.cpu + self.send.cpu + self.transactions * self.commit.cpu
        waiting = self.calls * self.latency
        return {
            "fetch": 1_000 * self.fetching / waiting if waiting else float("inf"),
            "workers": 1_000 * self.workers / ours,
            "cores": 1_000 * self.cores / (ours + self.others),
            "gateway": 1_000 * min(self.workers, self.connections) / self.send.wall,
            "database": 1_000 * self.writers / (self.transactions * self.commit.wall),
        }

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        resources = {name: value for name, value in self.resources().items() if value != float("inf")}
        slowest = min(resources, key=lambda name: resources[name])
        return {"parts": asdict(self), "resources": resources, "slowest": slowest, "limit": resources[slowest]}
