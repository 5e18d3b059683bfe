"""Questions to name servers. "There is no such name" is an answer; silence and a server's own trouble are none."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import dns.exception
import dns.message
import dns.nameserver
import dns.rdatatype
import dns.resolver

from invoiceapp.domain.findings import Text
from invoiceapp.outbound.guard import Guard

from .asking import TOO_LATE, Asking
from .base import CouldNotAsk

#: Seconds for one server to answer one packet before it, or the next one, is asked again.
TRY = 2.0

_UNANSWERED = Text(
    "Navneserveren kunne ikke svare på, om modtageren er registreret. Vi prøver igen senere.",
    "The name server could not say whether the receiver is registered. We try again later.",
)
_NO_SERVER = Text(
    "Denne maskine har ingen navneserver at spørge. Den, der driver serveren, skal angive en.",
    "This machine has no name server to ask. Whoever runs the server must name one.",
)
_SERVER_BLOCKED = Text(
    "Navneserveren {server} ligger i et lukket netværk, så vi spørger den ikke. Er det meningen, skal den, der driver serveren, "
    "tillade netværket med OUTBOUND_NETWORKS; ellers ret adressen i indstillingerne.",
    "The name server {server} lies in a closed network, so we do not ask it. If that is intended, whoever runs the server must "
    "allow the network by OUTBOUND_NETWORKS; else correct the address in the settings.",
)


class NameServers:
    """The servers that the settings name, or those of this machine. Used by one thread."""

    def __init__(self, servers: Sequence[tuple[str, int]], guard: Guard) -> None:
        """``servers``: (address, port); empty for those of this machine, which the guard does not judge."""
        self._servers = tuple(servers)
        self._guard = guard
        self._resolver: dns.resolver.Resolver | None = None
        self._existing = set[str]()

    def ask(self, name: str, kind: dns.rdatatype.RdataType, asking: Asking) -> dns.resolver.Answer | None:
        """The records; None where there are provably none (NXDOMAIN, or a name without any of the kind).

        Raises ``CouldNotAsk``.
        """
        answer, _ = self._ask(name, kind, asking)
        return answer

    def exists(self, zone: str, asking: Asking) -> bool:
        """Whether there is a zone, or anything, of that name. Raises ``CouldNotAsk``."""
        if zone not in self._existing:
            _, is_there = self._ask(zone, dns.rdatatype.SOA, asking)
            if is_there:
                self._existing.add(zone)
        return zone in self._existing

    def _ask(self, name: str, kind: dns.rdatatype.RdataType, asking: Asking) -> tuple[dns.resolver.Answer | None, bool]:
        """The records, and whether the name exists."""
        asked = f"{kind.name} {name}"
        try:
            limit, opened = asking.deadline.step(), self._opened()
            answer = opened.resolve(name, kind, lifetime=limit, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            asking.note(asked, "NXDOMAIN", "\n".join(map(str, error.kwargs["responses"].values())).encode())
            return None, False
        except (dns.exception.Timeout, TimeoutError) as error:
            asking.note(asked, "timeout")
            raise CouldNotAsk(TOO_LATE, f"{asked}: {error}") from None
        except (dns.exception.DNSException, OSError) as error:
            # dnspython keeps what each server said: SERVFAIL, REFUSED, garbage.
            asking.note(asked, "no usable answer", str(error).encode())
            raise CouldNotAsk(_UNANSWERED, f"{asked}: {error}") from None
        asking.note(asked, "NOERROR", answer.response.to_text().encode())
        if answer.rrset is None and _is_referral(answer.response):
            raise CouldNotAsk(_UNANSWERED, f"{asked}: only told who may know")
        return answer if answer.rrset is not None else None, True

    def _opened(self) -> dns.resolver.Resolver:
        if self._resolver is None:
            self._resolver = self._configured() if self._servers else _of_this_machine()
            self._resolver.timeout = TRY
        return self._resolver

    def _configured(self) -> dns.resolver.Resolver:
        for address, _ in self._servers:
            if not self._guard.allows(ipaddress.ip_address(address)):
                text = Text(_SERVER_BLOCKED.da.format(server=address), _SERVER_BLOCKED.en.format(server=address))
                raise CouldNotAsk(text, f"name server {address}")
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in self._servers]
        return resolver


def _is_referral(response: dns.message.Message) -> bool:
    """An answer of a server that knows neither yes nor no (RFC 2308 2.2): name servers, and no SOA."""
    kinds = {one.rdtype for one in response.authority}
    return dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds


def _of_this_machine() -> dns.resolver.Resolver:
    try:
        return dns.resolver.Resolver()
    except dns.resolver.NoResolverConfiguration as error:
        raise CouldNotAsk(_NO_SERVER, str(error)) from None
