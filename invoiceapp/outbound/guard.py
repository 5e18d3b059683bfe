"""The only way to a socket: every address is judged when it is connected to.

A name is judged by the addresses that it has at that moment, and one of those
is what is connected to, so that a name which changes its address between a
check and its use gains nothing (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from .deadline import Deadline
from .errors import OutboundError, Reason, failure

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Prefixes of IPv6 that carry an IPv4 address, and how many bits follow it:
#: IPv4-mapped and -compatible (RFC 4291 2.5.5), NAT64 (RFC 6052), 6to4 (RFC 3056).
_CARRIERS = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
_TEREDO = ipaddress.IPv6Network("2001::/32")
#: All that IANA gives to hosts of the internet; the rest is local or reserved (RFC 4291 2.4).
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
#: ``ipaddress`` of Python 3.11 calls these global: Azure's wire server, protocol assignments with Oracle's metadata
#: service (RFC 6890), the former 6to4 relays (RFC 7526), documentation (RFC 9637).
_INTERNAL = tuple(
    ipaddress.ip_network(text) for text in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
)

#: Where no partner listens, but things do that a company keeps to itself: the ports that browsers refuse
#: (Fetch standard, "bad port"), and those of data bases, caches, directories, desktops and container engines.
CLOSED_PORTS = frozenset(
    {
        1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
        111, 113, 115, 117, 119, 123, 135, 137, 138, 139, 143, 161, 179, 389, 427, 445, 465, 512, 513, 514, 515, 526, 530,
        531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 873, 989, 990, 993, 995, 1080, 1433, 1434, 1521, 1719, 1720, 1723,
        2049, 2181, 2375, 2376, 2379, 2380, 3128, 3268, 3269, 3306, 3389, 3659, 4045, 4190, 4243, 5060, 5061, 5432, 5433,
        5672, 5900, 5984, 5985, 5986, 6000, 6379, 6380, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 7000, 7001,
        8086, 9042, 9092, 9200, 9300, 10080, 10250, 10255, 11211, 15672, 27017, 27018, 27019, 28017, 50000,
    }
)  # fmt: skip


def carried(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only wraps it; else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _TEREDO:
            # RFC 4380 4: the client's address is stored inverted.
            return ipaddress.IPv4Address(~int(address) & 0xFFFFFFFF)
        for network, bits in _CARRIERS:
            if address in network and int(address) > 1:
                return ipaddress.IPv4Address((int(address) >> bits) & 0xFFFFFFFF)
    return address


@dataclass(frozen=True, slots=True)
class Guard:
    """What may be connected to: the public internet, and the networks and ports that an administrator has allowed."""

    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset()
    """Allowed although they are in ``CLOSED_PORTS``"""

    def allows(self, address: Address) -> bool:
        """Whether an address may be connected to."""
        judged = carried(address)
        if any(judged in network or address in network for network in self.networks):
            return True
        if judged.is_multicast or any(judged in network for network in _INTERNAL):
            return False
        if judged.version == 6 and judged not in _GLOBAL_UNICAST:
            return False
        return judged.is_global

    def require_port(self, port: int, usual: Collection[int] = ()) -> None:
        """Raises ``OutboundError`` for a port that is neither open, ``usual`` for the protocol nor allowed."""
        if port in CLOSED_PORTS and port not in usual and port not in self.ports:
            raise OutboundError(Reason.BLOCKED_PORT, f"port {port}")

    def addresses(self, host: str, port: int, usual: Collection[int] = ()) -> list[str]:
        """The allowed addresses of a host, as text, in the resolver's order. Raises ``OutboundError``."""
        self.require_port(port, usual)
        try:
            # What the resolver makes of it is judged, never the text: "2130706433" is 127.0.0.1 to it.
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            raise failure(error) from error
        texts = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [text for text in texts if self.allows(ipaddress.ip_address(text.partition("%")[0]))]
        if not allowed:
            raise OutboundError(Reason.BLOCKED_ADDRESS, f"{host} is {', '.join(texts[:4])}")
        return allowed

    def connect(self, host: str, port: int, deadline: Deadline, usual: Collection[int] = ()) -> socket.socket:
        """A TCP connection to an allowed address of the host. Raises ``OutboundError``.

        ``usual``: closed ports that belong to the protocol spoken, such as 22 for SFTP.
        """
        last: OutboundError | None = None
        for address in self.addresses(host, port, usual):
            try:
                connection = socket.create_connection((address, port), timeout=deadline.step())
                # Otherwise the last piece of a request waits some 40 ms for the acknowledgement of the one before (RFC 896).
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                last = failure(error)
            else:
                return connection
        raise last or OutboundError(Reason.NAME_UNKNOWN, host)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks from what an administrator wrote: ``10.0.0.0/8``, ``192.168.1.7``. Raises ``ValueError``."""
    return tuple(ipaddress.ip_network(text.strip()) for text in texts if text.strip())
