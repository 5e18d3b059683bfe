"""Hosts of one installation, any of which can be cut off: network namespaces where we may make them, else proxies.

In namespaces each host has a machine's network of its own, joined to the others by a bridge that leads nowhere else. A cut
takes its link down: nothing arrives, nothing leaves, and nobody is told.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, Self

from chaos.installation import Process
from invoiceapp.processes import die_with_parent, free_port
from tests.support.fault_proxy import Fault, FaultProxy, Harm, always

#: The hub's, in each network: the product speaks without TLS to no other address, and what is sent to it leaves no machine.
HUB = "127.0.0.1"
#: Loopback addresses are carried by the bridge, too.
_CARRIED = "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet"
_CLONE_NEWNET = 0x40000000


class Network(Protocol):
    """Use with ``with``; what is started inside belongs to the hub, where databases and partners are."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def port(self) -> int:
        """A free one at the hub."""

    def address_of(self, host: str) -> str:
        """Where others reach it."""

    def at(self, host: str, command: list[str]) -> list[str]:
        """The command that does the same on ``host``."""

    def way(self, host: str, port: int) -> str:
        """``address:port`` under which ``host`` reaches the hub's ``port``."""

    def cut(self, host: str, processes: list[Process]) -> None:
        """Its processes live on, and reach nobody."""

    def join(self, host: str, processes: list[Process]) -> None:
        """The end of ``cut``."""


def may_make_namespaces() -> bool:
    """Whether this process may give others a network of their own."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        return False
    steps = f"ip link add one type veth peer name two && ip link add three type bridge && {_CARRIED}"
    tried = ["unshare", "--net", "sh", "-c", steps]
    return subprocess.run(tried, check=False, capture_output=True).returncode == 0


class Namespaces:
    """One for the hub and one for each host; all gone when the processes that hold them are."""

    def __init__(self, *hosts: str) -> None:
        self._addresses = {host: f"127.0.0.{number}" for number, host in enumerate(hosts, 2)}
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for name in ("hub", *self._addresses):
                self._holders[name] = stack.enter_context(_holder())
            stack.enter_context(_inside(self._holders["hub"].pid))
            _prepare()
            _ip("link add hub type bridge", f"addr add {HUB}/24 dev hub", "link set hub up")
            for host, address in self._addresses.items():
                _ip(
                    f"link add {host} type veth peer name eth0 netns {self._holders[host].pid}",
                    f"link set {host} master hub up",
                )
                with _inside(self._holders[host].pid):
                    _prepare()
                    _ip(f"addr add {address}/24 dev eth0", "link set eth0 up")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def port(self) -> int:
        return free_port()

    def address_of(self, host: str) -> str:
        return self._addresses[host]

    def at(self, host: str, command: list[str]) -> list[str]:
        return ["nsenter", f"--net=/proc/{self._holders[host].pid}/ns/net", "--", *command]

    def way(self, host: str, port: int) -> str:
        return f"{HUB}:{port}"

    def cut(self, host: str, processes: list[Process]) -> None:
        _ip(f"link set {host} down")

    def join(self, host: str, processes: list[Process]) -> None:
        _ip(f"link set {host} up")


def _prepare() -> None:
    """Nothing of 127/8 is left on the loopback of a network of its own."""
    subprocess.run(["sh", "-c", _CARRIED], check=True)
    _ip("link set lo up", "addr del 127.0.0.1/8 dev lo")


def _ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


@contextmanager
def _holder() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing in a network namespace of its own."""
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent) as process:
        try:
            ours = os.readlink("/proc/self/ns/net")
            while os.readlink(f"/proc/{process.pid}/ns/net") == ours:
                time.sleep(0.005)
            yield process
        finally:
            process.kill()


@contextmanager
def _inside(pid: int) -> Iterator[None]:
    """This thread, and what it starts, has the network of process ``pid``."""
    with Path("/proc/thread-self/ns/net").open() as before:
        _enter(Path(f"/proc/{pid}/ns/net"))
        try:
            yield
        finally:
            _set(before.fileno())


def _enter(path: Path) -> None:
    with path.open() as file:
        _set(file.fileno())


def _set(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Proxies:
    """Where no namespace can be made: a cut host's processes are stopped, and their connections to the hub are closed."""

    def __init__(self, *_hosts: str) -> None:
        self._proxies: dict[tuple[str, int], FaultProxy] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._proxies.values():
            proxy.close()

    def port(self) -> int:
        return free_port()

    def address_of(self, host: str) -> str:
        return HUB

    def at(self, host: str, command: list[str]) -> list[str]:
        return command

    def way(self, host: str, port: int) -> str:
        key = host, port
        if key not in self._proxies:
            self._proxies[key] = FaultProxy(port)
        return f"{HUB}:{self._proxies[key].port}"

    def cut(self, host: str, processes: list[Process]) -> None:
        for process in processes:
            process.send(signal.SIGSTOP)
        for (name, _port), proxy in self._proxies.items():
            if name == host:
                proxy.plan = always(Fault(Harm.REFUSE))
                # With the first byte after they go on.
                proxy.strike(Fault(Harm.CUT))

    def join(self, host: str, processes: list[Process]) -> None:
        for (name, _port), proxy in self._proxies.items():
            if name == host:
                proxy.heal()
        for process in processes:
            process.send(signal.SIGCONT)
