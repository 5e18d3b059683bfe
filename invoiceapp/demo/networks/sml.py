"""The SML of both networks: a real DNS server (UDP and TCP) that answers for the demo's zones."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from collections.abc import Mapping
from typing import Any

from dnslib import NAPTR, QTYPE, RCODE, RR, SOA, DNSRecord
from dnslib.server import DNSHandler, DNSLogger, TCPServer, UDPServer

from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import PARTICIPANT_SCHEME, Network

from .population import Population
from .switches import Switch, Trouble
from .web import HOST, listening

ZONES = {Network.PEPPOL: "peppol.demo.test", Network.NEMHANDEL: "nemhandel.demo.test"}
_SECONDS = 60
_ATTEMPTS = 20


def name_of(participant: Participant, network: Network) -> str:
    """The participant's name in DNS (Peppol identifier policy, POLICY 7)."""
    label = base64.b32encode(hashlib.sha256(str(participant).lower().encode()).digest()).decode().rstrip("=")
    return f"{label}.{PARTICIPANT_SCHEME}.{ZONES[network]}"


class _Resolver:
    def __init__(self, population: Population, smps: Mapping[Network, str], switch: Switch) -> None:
        self._population = population
        self._smps = smps
        self._switch = switch

    def resolve(self, request: DNSRecord, _handler: DNSHandler) -> DNSRecord:
        """The answer to one question."""
        name = str(request.q.qname).rstrip(".").casefold()
        reply = request.reply()
        trouble = self._switch.meet(f"{QTYPE[request.q.qtype]} {name}")
        if trouble is not None:
            reply.header.rcode = RCODE.REFUSED if trouble is Trouble.BUSY else RCODE.SERVFAIL
            return reply
        network = next((one for one, zone in ZONES.items() if f".{name}".endswith(f".{zone}")), None)
        if network is None:
            reply.header.rcode = RCODE.REFUSED
            return reply
        is_zone = name == ZONES[network]
        if not is_zone and not self._is_registered(name, network):
            reply.header.rcode = RCODE.NXDOMAIN
            reply.add_auth(self._soa(network))
        elif is_zone and request.q.qtype == QTYPE.SOA:
            reply.add_answer(self._soa(network))
        elif not is_zone and request.q.qtype == QTYPE.NAPTR:
            record = NAPTR(100, 10, b"U", b"Meta:SMP", f"!^.*$!{self._smps[network]}!".encode(), ".")
            reply.add_answer(RR(request.q.qname, QTYPE.NAPTR, ttl=_SECONDS, rdata=record))
        return reply

    def _is_registered(self, name: str, network: Network) -> bool:
        return any(
            name == name_of(one.participant, network).casefold() for one in self._population.all() if one.on(network)
        )

    @staticmethod
    def _soa(network: Network) -> RR:
        zone = ZONES[network]
        times = (1, 3600, 600, 86400, _SECONDS)
        return RR(zone, QTYPE.SOA, ttl=_SECONDS, rdata=SOA(f"ns.{zone}", f"hostmaster.{zone}", times))


class SmlServer:
    """A running name server; also a context manager that closes it."""

    def __init__(self, population: Population, smps: Mapping[Network, str], switch: Switch, port: int = 0) -> None:
        """``smps``: address of each network's SMP."""
        resolver = _Resolver(population, smps, switch)
        datagrams, stream = _pair(port)
        self.port: int = stream.getsockname()[1]
        self._servers = [_serving(UDPServer, datagrams, resolver), _serving(TCPServer, stream, resolver)]
        self._threads = [
            threading.Thread(target=one.serve_forever, args=(0.05,), name="sml-stand-in", daemon=True)
            for one in self._servers
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop answering and give the port back."""
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()

    def __enter__(self) -> SmlServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pair(port: int) -> tuple[socket.socket, socket.socket]:
    """A datagram and a stream socket at the same port."""
    for _ in range(_ATTEMPTS):
        stream = listening(socket.SOCK_STREAM, port)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(stream.getsockname())
        except OSError:
            datagrams.close()
            stream.close()
            port = 0
            continue
        stream.listen(64)
        return datagrams, stream
    raise OSError("no port that is free for UDP and TCP")


def _serving(kind: Any, own: socket.socket, resolver: _Resolver) -> Any:
    # dnslib's servers bind in their constructors; ours are bound already, so theirs are let go.
    server = kind((HOST, 0), DNSHandler)
    server.socket.close()
    server.socket = own
    server.server_address = own.getsockname()
    server.resolver, server.logger = resolver, DNSLogger(logf=lambda _: None)
    server.handle_error = lambda *_: None
    return server
