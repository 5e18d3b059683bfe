"""A TCP proxy on loopback that harms connections: one plan a connection, or at a moment that the test chooses.

Everything runs in one thread on one event loop; ``close`` ends both and every socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

HOST = "127.0.0.1"
_PIECE = 16_384
#: Small, so that a large document does not vanish into buffers and look sent.
_BUFFER = 65_536
_ESTABLISHED = 1


class Harm(StrEnum):
    """What befalls a connection."""

    NONE = "none"
    REFUSE = "refuse"
    """taken and reset at once"""
    RESET = "reset"
    CUT = "cut"
    """closed on both sides"""
    HALF_CLOSE = "half-close"
    """nothing more in this direction, and the receiving end is told so"""
    STALL = "stall"
    """nothing more in this direction, and nobody is told"""
    SLOW = "slow"
    GARBLE = "garble"
    """what follows is noise, and then the end"""


class Way(StrEnum):
    """Which bytes are counted and harmed."""

    UP = "up"
    """from the client to the server"""
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Fault:
    """The harm that comes after so many bytes of one direction; all before them pass."""

    harm: Harm = Harm.NONE
    after: int = 0
    way: Way = Way.UP
    rate: int = 20_000
    """Bytes a second, for ``SLOW``"""
    noise: bytes = b""
    """For ``GARBLE``"""


Plan = Callable[[int], Fault]
WELL = Fault()


def always(fault: Fault) -> Plan:
    """The same fault for every connection."""
    return lambda number: fault


def at_random(seed: int, share: float, harms: tuple[Harm, ...], least: int = 1, most: int = 60_000) -> Plan:
    """Faults for a ``share`` of the connections, after ``least`` to ``most`` bytes, of every magnitude as often.

    The fault of a connection depends on the seed and its number only.
    """

    def plan(number: int) -> Fault:
        chance = random.Random(seed * 1_000_003 + number)
        if chance.random() >= share:
            return WELL
        after = round(least * (most / least) ** chance.random()) - 1
        rate = chance.choice((20_000, 200_000))
        noise = chance.randbytes(chance.randrange(1, 200)) + b"\r\n"
        return Fault(chance.choice(harms), after, chance.choice(tuple(Way)), rate, noise)

    return plan


class _Ended(Exception):
    """The connection is over, for both directions."""


@dataclass(slots=True)
class _Watch:
    """A fault and how many bytes have passed since it counts."""

    fault: Fault
    passed: dict[Way, int] = field(default_factory=lambda: dict.fromkeys(Way, 0))

    def left(self, way: Way) -> int | None:
        """Bytes that still pass in this direction; None for all."""
        if self.fault.harm is Harm.NONE or self.fault.way is not way:
            return None
        return max(0, self.fault.after - self.passed[way])


@dataclass(slots=True)
class _Pair:
    client: socket.socket
    server: socket.socket
    target: int
    watch: _Watch
    resets: bool = False

    def ends(self, way: Way) -> tuple[socket.socket, socket.socket]:
        return (self.client, self.server) if way is Way.UP else (self.server, self.client)


class FaultProxy:
    """Listens from construction until ``close`` and passes connections on to ``target``, a port of this machine."""

    def __init__(self, target: int, plan: Plan | None = None, *, ftp: bool = False) -> None:
        """``ftp``: passive data connections go through the proxy too, and are numbered like all others."""
        self.plan = plan or always(WELL)
        self.accepted = 0
        """Connections so far"""
        self.passed = dict.fromkeys(Way, 0)
        """Bytes so far"""
        self._target, self._ftp = target, ftp
        self._pairs: list[_Pair] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened: list[socket.socket] = []
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._listener = _listen()
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._run, name="fault-proxy")
        self._thread.start()

    def heal(self) -> None:
        """New connections are not harmed any more."""
        self.plan = always(WELL)

    def strike(self, fault: Fault) -> None:
        """Harm the connections that are open now; bytes are counted from now on. May be called by any thread."""
        for pair in tuple(self._pairs):
            pair.watch = _Watch(fault)

    def wait_idle(self, seconds: float = 20) -> None:
        """Until no connection is open. Raises ``AssertionError``."""
        end = time.monotonic() + seconds
        while self._pairs:
            assert time.monotonic() < end, "connections stay open"
            time.sleep(0.01)

    def close(self) -> None:
        """Drop everything; may be called twice."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._start(self._accept(self._listener, self._target))
        await self._over.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # A task that was ended before its first step has closed nothing.
        for end in self._opened:
            end.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket, target: int, most: int | None = None) -> None:
        with listener:
            while most is None or most > 0:
                await self._readable(listener)
                # Not by ``sock_accept``: one that is ended at the wrong moment loses the connection that it has taken.
                try:
                    client, _ = listener.accept()
                except BlockingIOError:
                    # It has gone away again.
                    continue
                client.setblocking(False)
                self._opened.append(client)
                most = None if most is None else most - 1
                fault, self.accepted = self.plan(self.accepted), self.accepted + 1
                self._start(self._connection(client, target, fault))

    async def _readable(self, end: socket.socket) -> None:
        ready = asyncio.Event()
        self._loop.add_reader(end, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_reader(end)

    async def _connection(self, client: socket.socket, target: int, fault: Fault) -> None:
        with client, _socket() as server:
            if fault.harm is Harm.REFUSE:
                _will_reset(client)
                return
            pair = _Pair(client, server, target, _Watch(fault))
            self._pairs.append(pair)
            try:
                await self._loop.sock_connect(server, (HOST, target))
                await self._both(pair)
            except OSError:
                pair.resets = True
            finally:
                self._pairs.remove(pair)
                for end in (client, server):
                    _will_reset(end) if pair.resets else _tell_end(end)

    async def _both(self, pair: _Pair) -> None:
        """Until both directions have ended, or one ends them both."""
        pumps = [self._loop.create_task(self._pump(pair, way)) for way in Way]
        try:
            with contextlib.suppress(_Ended):
                await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, pair: _Pair, way: Way) -> None:
        source, sink = pair.ends(way)
        while pair.watch.left(way) != 0:
            data = await self._loop.sock_recv(source, _PIECE)
            # Asked anew: somebody may have struck while this was waiting.
            left = pair.watch.left(way)
            if not data:
                _tell_end(sink)
                return
            await self._pass(pair, way, data if left is None else data[:left])
            if left is not None and data[left:]:
                await self._harm(pair, way, data[left:])
                return
        await self._harm(pair, way, b"")

    async def _pass(self, pair: _Pair, way: Way, data: bytes) -> None:
        pair.watch.passed[way] += len(data)
        self.passed[way] += len(data)
        if self._ftp and way is Way.DOWN and pair.target == self._target:
            data = _PASSIVE.sub(self._through_us, data)
        await self._loop.sock_sendall(pair.ends(way)[1], data)

    def _through_us(self, reply: re.Match[bytes]) -> bytes:
        """The reply to PASV, with a port of ours that leads to the one that it names."""
        listener = _listen()
        self._opened.append(listener)
        self._start(self._accept(listener, int(reply[2]) * 256 + int(reply[3]), 1))
        high, low = divmod(int(listener.getsockname()[1]), 256)
        return reply[1] + f"{high},{low}".encode()

    async def _harm(self, pair: _Pair, way: Way, held: bytes) -> None:
        """``held`` was read and not passed on. Returns where only this direction has ended."""
        source, sink = pair.ends(way)
        fault = pair.watch.fault
        if fault.harm is Harm.HALF_CLOSE:
            _tell_end(sink)
            while await self._loop.sock_recv(source, _PIECE):
                pass
            return
        if fault.harm is Harm.SLOW:
            await self._drip(pair, way, held, fault.rate)
            return
        if fault.harm is Harm.STALL:
            # Nothing is read, so that the sender feels it; its going away must be looked for.
            while _is_established(pair.client):
                await asyncio.sleep(0.02)
        if fault.harm is Harm.GARBLE:
            await self._loop.sock_sendall(sink, fault.noise)
        pair.resets = fault.harm is Harm.RESET
        raise _Ended

    async def _drip(self, pair: _Pair, way: Way, held: bytes, rate: int) -> None:
        source, sink = pair.ends(way)
        size = max(1, rate // 20)
        while held or (held := await self._loop.sock_recv(source, _PIECE)):
            await asyncio.sleep(size / rate)
            await self._loop.sock_sendall(sink, held[:size])
            held = held[size:]
        _tell_end(sink)


#: RFC 959 4.1.2: address and port, six numbers.
_PASSIVE = re.compile(rb"(227 [^(]*\((?:[0-9]+,){4})([0-9]+),([0-9]+)")


def _socket() -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    return made


def _listen() -> socket.socket:
    made = _socket()
    made.bind((HOST, 0))
    made.listen(100)
    return made


def _tell_end(sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _will_reset(end: socket.socket) -> None:
    """Lingering for 0 s makes the close a reset."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _is_established(end: socket.socket) -> bool:
    """As the kernel sees it (tcp(7), ``TCP_INFO``)."""
    return end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED
