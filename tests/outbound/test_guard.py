"""What may be connected to, however an address is written or hidden."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from pytest_socket import socket_allow_hosts
from support.outbound import LOOPBACK

from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError, Reason
from invoiceapp.outbound.guard import CLOSED_PORTS, Guard, networks

INSIDE = {
    "private": ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1"],
    "this machine": ["127.0.0.1", "127.255.0.1", "0.0.0.0", "0.1.2.3", "::1", "::"],
    "shared by carriers": ["100.64.0.1", "100.100.100.200"],
    "link-local": ["169.254.1.1", "fe80::1"],
    "metadata": ["169.254.169.254", "fd00:ec2::254", "168.63.129.16", "192.0.0.192"],
    "multicast and broadcast": ["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "192.0.2.1", "198.18.0.1", "192.88.99.1", "2001:db8::1", "3fff::1", "5f00::1", "4000::1"],
    "unique local and site-local": ["fc00::1", "fd12::1", "fec0::1"],
    "mapped and compatible": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"],
    "translated": ["::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::10.0.0.1"],
    "6to4": ["2002:7f00:1::", "2002:0a00:1::", "2002:a9fe:a9fe::"],
    "Teredo": ["2001:0:0:0:0:0:f5ff:fffe", "2001:0:0:0:0:0:80ff:fffe"],
}
PUBLIC = [
    "8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::",
]  # fmt: skip
PORT = 443

#: Unit tests may not even look a number up.
pytestmark = pytest.mark.server


def soon() -> Deadline:
    return Deadline(5, 5)


def refused(call) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        call()
    return caught.value


@pytest.fixture
def names(monkeypatch):
    """Names and the addresses that the resolver gives for them, one list a look-up; and how often it was asked."""
    table: dict[str, list[list[str]]] = {}
    asked: list[str] = []
    original = socket.getaddrinfo

    def look_up(host, port, *args, **kwargs):
        if host not in table:
            return original(host, port, *args, **kwargs)
        asked.append(host)
        answers = table[host].pop(0) if len(table[host]) > 1 else table[host][0]
        return [entry for answer in answers for entry in original(answer, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return table, asked


@pytest.mark.parametrize("address", [address for group in INSIDE.values() for address in group])
def test_an_address_that_is_not_of_the_public_internet_is_blocked(address):
    assert not Guard().allows(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_public_internet_is_allowed(address):
    assert Guard().allows(ipaddress.ip_address(address))


@pytest.mark.parametrize("text", ["127.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.1", "[::1]", "::ffff:7f00:1", "fe80::1%1"])  # fmt: skip
def test_what_the_resolver_makes_of_a_text_is_judged(text):
    assert refused(lambda: Guard().addresses(text, PORT)).reason is Reason.BLOCKED_ADDRESS


def test_a_blocked_address_is_named_for_the_log():
    error = refused(lambda: Guard().addresses("2130706433", PORT))
    assert "127.0.0.1" in error.detail


@pytest.mark.parametrize(
    ("allowed", "address"),
    [
        ("10.0.0.0/8", "10.1.2.3"),
        ("192.168.1.7", "192.168.1.7"),
        ("fd12::/16", "fd12::1"),
        ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ("64:ff9b:1::/48", "64:ff9b:1::1"),
        ("169.254.169.254", "169.254.169.254"),
    ],
)
def test_an_administrator_allows_networks(allowed, address):
    guard = Guard(networks([allowed]))
    assert guard.allows(ipaddress.ip_address(address))
    assert not guard.allows(ipaddress.ip_address("172.16.0.1"))


def test_networks_are_read_as_an_administrator_writes_them():
    assert networks([" 10.0.0.0/8", "", "::1 "]) == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1"))


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "intranet", "10.0.0.*"])
def test_a_network_that_is_none_is_an_error(text):
    with pytest.raises(ValueError):
        networks([text])


@pytest.mark.parametrize("port", [22, 25, 5432, 6379, 2375, 11211])
def test_a_port_of_another_service_is_closed_before_the_name_is_looked_up(port, names):
    table, asked = names
    table["partner.example"] = [["8.8.8.8"]]
    assert refused(lambda: Guard().addresses("partner.example", port)).reason is Reason.BLOCKED_PORT
    assert asked == []


@pytest.mark.parametrize(
    ("guard", "usual"), [(Guard(), {22}), (Guard(ports=frozenset({22})), ())], ids=["usual", "allowed"]
)
def test_a_closed_port_is_open_to_its_protocol_and_where_an_administrator_allows_it(guard, usual):
    assert guard.addresses("8.8.8.8", 22, usual) == ["8.8.8.8"]
    assert refused(lambda: guard.addresses("8.8.8.8", 25, usual)).reason is Reason.BLOCKED_PORT


def test_ports_of_the_web_and_high_ports_are_open():
    assert not CLOSED_PORTS & {80, 443, 4080, 5080, 8080, 8443, 10080 + 1, 2222, 2525}


def test_of_several_addresses_only_those_outside_are_left(names):
    table, _ = names
    table["partner.example"] = [["10.0.0.5", "8.8.8.8", "::1", "8.8.8.8", "1.1.1.1"]]
    assert Guard().addresses("partner.example", PORT) == ["8.8.8.8", "1.1.1.1"]


@pytest.mark.parametrize("name", ["", "x" * 70 + ".dk", "a..dk", "a\0b", "\ud800.dk"])
def test_a_name_that_can_be_none_is_unknown(name):
    assert refused(lambda: Guard().addresses(name, PORT)).reason is Reason.NAME_UNKNOWN


@pytest.mark.parametrize(
    ("number", "reason"), [(socket.EAI_NONAME, Reason.NAME_UNKNOWN), (socket.EAI_AGAIN, Reason.NAME_UNANSWERED)]
)
def test_an_unknown_name_and_a_silent_name_server_are_told_apart(monkeypatch, number, reason):
    def fail(*_, **__):
        raise socket.gaierror(number, "no")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert refused(lambda: Guard().connect("partner.example", PORT, soon())).reason is reason


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(names, monkeypatch):
    table, asked = names
    # The second answer would lead inside: nobody asks for it.
    table["partner.example"] = [["127.0.0.1"], ["10.0.0.5"]]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with Guard(networks(["127.0.0.1"])).connect("partner.example", port, soon()) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)
    assert asked == ["partner.example"]


def test_an_address_inside_is_never_tried_beside_one_that_does_not_answer(names):
    table, _ = names
    socket_allow_hosts(["127.0.0.1", "127.0.0.2"])
    with socket.create_server(("127.0.0.1", 0)) as inside:
        port = inside.getsockname()[1]
        table["partner.example"] = [["127.0.0.1", "127.0.0.2"]]
        guard = Guard(networks(["127.0.0.2"]))
        assert refused(lambda: guard.connect("partner.example", port, soon())).reason is Reason.CLOSED
        inside.setblocking(False)
        with pytest.raises(BlockingIOError):
            inside.accept()


def test_the_next_address_is_tried_where_one_does_not_answer(names):
    table, _ = names
    socket_allow_hosts(["127.0.0.1", "127.0.0.2"])
    table["partner.example"] = [["127.0.0.2", "127.0.0.1"]]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        LOOPBACK.connect("partner.example", port, soon()).close()


def test_no_piece_of_a_request_waits_for_the_acknowledgement_of_the_one_before():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        LOOPBACK.connect("127.0.0.1", listener.getsockname()[1], soon()) as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_where_nobody_listens_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    assert refused(lambda: LOOPBACK.connect("127.0.0.1", free, soon())).reason is Reason.CLOSED


def test_a_used_up_deadline_connects_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert refused(lambda: LOOPBACK.connect("127.0.0.1", port, Deadline(0, 5))).reason is Reason.TIMEOUT
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
