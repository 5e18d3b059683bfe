"""Which addresses count as one place: what a provider gives to one customer."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

#: Bits of an IPv6 address that a customer's devices share; the rest a device may choose anew for every connection.
_CUSTOMER_BITS = 64
#: Of requests through a socket of the machine, whose proxy is not believed (TRUSTED_PROXIES).
UNKNOWN = "unknown"


def network(address: str | None) -> str:
    """An IPv4 address as it is, of an IPv6 address its /64; ``UNKNOWN`` for what is no address."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return UNKNOWN
    if not isinstance(found, IPv4Address) and found.ipv4_mapped is None:
        return str(ip_network((int(found), _CUSTOMER_BITS), strict=False))
    return str(found if isinstance(found, IPv4Address) else found.ipv4_mapped)
