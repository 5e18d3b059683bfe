"""The gateways of a subscription as the route finder sees them: what each reaches, and which is taken. No database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from invoiceapp.domain.network import Network


@dataclass(frozen=True, slots=True)
class Way:
    """One gateway that sends, and that the adaptor may use."""

    id: str
    name: str
    networks: frozenset[Network] = frozenset()
    formats: frozenset[str] | None = None
    """Format ids; None for all"""
    mails: bool = False
    """It writes to the receiver's e-mail address"""
    is_ready: bool = True
    """Not paused, and its settings lack nothing without which it cannot send"""
    used: int = 0
    """Deliveries that it has carried lately"""

    def takes(self, format_id: str) -> bool:
        """Whether it carries a format."""
        return self.formats is None or format_id in self.formats


def by_network(ways: Sequence[Way], network: Network, format_id: str, preferred: str | None = None) -> Way | None:
    """The gateway into a network; one that is not ready only where there is no other: what is for it waits."""
    return _best([way for way in ways if network in way.networks and way.takes(format_id)], preferred)


def by_mail(ways: Sequence[Way], format_id: str, preferred: str | None = None) -> Way | None:
    """The gateway for e-mail."""
    return _best([way for way in ways if way.mails and way.takes(format_id)], preferred)


def with_id(ways: Sequence[Way], gateway_id: str | None) -> Way | None:
    """One of them."""
    return next((way for way in ways if way.id == gateway_id), None)


def _best(fitting: list[Way], preferred: str | None) -> Way | None:
    """Of those that are ready the preferred one, else the one that is used most, else the first by name."""
    order = sorted(
        fitting, key=lambda way: (not way.is_ready, way.id != preferred, -way.used, way.name.casefold(), way.id)
    )
    return order[0] if order else None
