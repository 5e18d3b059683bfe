"""The contract of a transport, kept by every kind: one table of what each failure of the world below means.

A proxy stands between us and a receiving server of each kind. What a failure means is checked against what the server
really has: ``Unavailable``, ``Rejected`` and ``Refused`` promise that it has nothing.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from support.as2_pairs import make_pairs
from support.fault_proxy import Fault, FaultProxy, Harm, Way, always, at_random
from support.outbound import LOOPBACK
from support.receivers import RECEIVERS, Receiver

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.gateways.as2 import transport as as2
from invoiceapp.gateways.as4 import sending as as4
from invoiceapp.gateways.base import (
    Consignment,
    Payload,
    Receipt,
    Refused,
    Rejected,
    Transport,
    TransportError,
    Unavailable,
    Unknown,
    registry,
)
from invoiceapp.gateways.dropbox import api as dropbox
from invoiceapp.gateways.email import session as email_session
from invoiceapp.gateways.email import transport as email
from invoiceapp.gateways.ftp import transport as ftp
from invoiceapp.gateways.http import transport as http
from invoiceapp.gateways.providers import transport as providers
from invoiceapp.gateways.sftp import transport as sftp
from invoiceapp.outbound.guard import Guard

pytestmark = pytest.mark.server

#: Bytes that travel, more than the buffers between two sockets hold: it cannot look sent while it is not.
BIG = 6_000_000
MIDDLE = 200_000
#: Only a time limit ends these.
WAITED_FOR = (Harm.STALL, Harm.SLOW)
ERRORS = {Refused, Rejected, Unavailable, Unknown}
#: Loggers of the servers, which here run in the same process.
OF_SERVERS = ("pyftpdlib", "mail", "asyncio")


@dataclass
class Scene:
    """One send that is to be made, and what may be changed about it before."""

    receiver: Receiver
    proxy: FaultProxy
    monkeypatch: pytest.MonkeyPatch
    consignment: Consignment
    config: dict[str, Any]
    tls_port: Callable[[], int]
    guard: Guard = LOOPBACK
    result: Receipt | TransportError | None = field(default=None, init=False)

    @property
    def transport(self) -> type[Transport]:
        return registry()[self.receiver.kind]

    @property
    def name(self) -> str:
        """What the document is known by on the wire."""
        return self.transport(self.config, self.guard).wire_ids(self.consignment)[self.receiver.wire_id]

    def enlarge(self) -> None:
        # Nor can it be compressed.
        content = base64.b64encode(random.Random(1).randbytes(BIG // self.receiver.times_sent))
        payload = Payload(b"<Invoice>" + content + b"</Invoice>", "invoice.xml", "application/xml")
        self.consignment = self.make(payload=payload)

    def make(self, **changes: Any) -> Consignment:
        known = {name: getattr(self.consignment, name) for name in self.consignment.__dataclass_fields__}
        return Consignment(**known | changes)

    def another(self, key: str, number: int) -> None:
        """Another document, also for servers that know one by its bytes alone."""
        known = self.consignment.payload
        payload = replace(known, content=known.content + f"<!--{number}-->".encode())
        self.consignment, self.result = self.make(key=key, document_no=str(number), payload=payload), None

    def be_impatient(self, step: float, deadline: float) -> None:
        for module in (as2, as4, dropbox, email, ftp, http, providers, sftp):
            self.monkeypatch.setattr(module, "STEP", step)
        self.monkeypatch.setattr(email, "GOODBYE", step)
        self.monkeypatch.setattr(email_session, "FINAL_STEP", step)
        self.monkeypatch.setattr(self.transport, "DEADLINE", deadline)
        self.monkeypatch.setattr(Transport, "DEADLINE", deadline)

    def _as_known(self) -> Consignment:
        return self.make(may_have_arrived=isinstance(self.result, Unknown))

    def send(self) -> None:
        """Raises what no transport may raise."""
        with self.transport(self.config, self.guard) as opened:
            try:
                self.result = opened.send(self.receiver.addressed(self._as_known(), self.config))
            except TransportError as error:
                self.result = error


def in_the_document(harm: Harm, after: int = MIDDLE, **more: Any) -> Callable[[Scene], None]:
    """Harm when some of its bytes have left, or none."""

    def arrange(scene: Scene) -> None:
        scene.enlarge()
        if harm in WAITED_FOR:
            scene.be_impatient(0.3, 0.6)
        scene.proxy.plan = always(Fault(harm, after, **more))

    return arrange


def after_the_effect(harm: Harm, after: int = 0, **more: Any) -> Callable[[Scene], None]:
    """The server has the document, and its answer comes to harm."""

    def arrange(scene: Scene) -> None:
        if harm in WAITED_FOR:
            # Long enough for all that comes before.
            scene.be_impatient(0.7, 1.4)
        scene.receiver.on_effect = lambda: scene.proxy.strike(Fault(harm, after, Way.DOWN, **more))

    return arrange


def as_it_is(scene: Scene) -> None:
    pass


def unknown_name(scene: Scene) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    scene.monkeypatch.setattr(socket, "getaddrinfo", fail)


def nobody_there(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    scene.config = scene.receiver.config(free)


def wrong_credentials(scene: Scene) -> None:
    scene.config = scene.receiver.wrong_login(scene.config)


def full(scene: Scene) -> None:
    scene.receiver.fill_up()


def another_identity(scene: Scene) -> None:
    scene.config = scene.receiver.elsewhere(scene.config, scene.tls_port())


def unwanted(scene: Scene) -> None:
    scene.receiver.say_no(scene.name)


def closed_network(scene: Scene) -> None:
    scene.guard = Guard()


def no_time_left(scene: Scene) -> None:
    scene.be_impatient(1, 0)


NOISE = b"\x00\xff\x16\x03 nothing that anybody agreed on\r\n\r\n"

SITUATIONS: dict[str, Callable[[Scene], None]] = {
    "all is well": as_it_is,
    "name not found": unknown_name,
    "nobody listens": nobody_there,
    "network closed by the guard": closed_network,
    "deadline used up": no_time_left,
    "TLS or host key bad": another_identity,
    "wrong credentials": wrong_credentials,
    "full": full,
    "document not wanted": unwanted,
    "reset at once": in_the_document(Harm.REFUSE, 0),
    "cut before the first byte": in_the_document(Harm.CUT, 0),
    "silent from the first byte": in_the_document(Harm.STALL, 0),
    "cut in the document": in_the_document(Harm.CUT),
    "reset in the document": in_the_document(Harm.RESET),
    "half-closed in the document": in_the_document(Harm.HALF_CLOSE),
    "silent in the document": in_the_document(Harm.STALL),
    "slow in the document": in_the_document(Harm.SLOW, rate=20_000),
    "cut after the last byte": after_the_effect(Harm.CUT),
    "reset after the last byte": after_the_effect(Harm.RESET),
    "half-closed after the last byte": after_the_effect(Harm.HALF_CLOSE),
    "silent after the last byte": after_the_effect(Harm.STALL),
    "half answer": after_the_effect(Harm.CUT, 8),
    "garbled answer": after_the_effect(Harm.GARBLE, noise=NOISE),
    "slow answer": after_the_effect(Harm.SLOW, rate=4),
}

USUAL: dict[str, type[TransportError] | None] = {
    "all is well": None,
    "name not found": Unavailable,
    "nobody listens": Unavailable,
    "network closed by the guard": Refused,
    "deadline used up": Unavailable,
    "TLS or host key bad": Refused,
    "wrong credentials": Refused,
    "full": Unavailable,
    "document not wanted": Rejected,
    "reset at once": Unavailable,
    "cut before the first byte": Unavailable,
    "silent from the first byte": Unavailable,
    "cut in the document": Unavailable,
    "reset in the document": Unavailable,
    "half-closed in the document": Unavailable,
    "silent in the document": Unavailable,
    "slow in the document": Unavailable,
    "cut after the last byte": Unknown,
    "reset after the last byte": Unknown,
    "half-closed after the last byte": Unknown,
    "silent after the last byte": Unknown,
    "half answer": Unknown,
    "garbled answer": Unknown,
    "slow answer": Unknown,
}
#: The line swallows the rest, so that all of it seems to have left; what cannot be told apart is not claimed.
SWALLOWED: dict[str, type[TransportError] | None] = {"half-closed in the document": Unknown}

#: Address and certificate are the register's: what is wrong with them pauses nothing, and may be right when it is asked
#: again. Without https only an address in an allowed network is taken.
OF_THE_REGISTER: dict[str, type[TransportError] | None] = {
    **USUAL,
    **SWALLOWED,
    "network closed by the guard": Rejected,
    "TLS or host key bad": Unavailable,
    "wrong credentials": Unavailable,
}

#: Whoever adds a kind writes its row.
TABLE: dict[str, dict[str, type[TransportError] | None]] = {
    "sftp": USUAL,
    "ftp": USUAL,
    "vans": USUAL,
    "email": USUAL | SWALLOWED,
    "http": USUAL | SWALLOWED,
    "as2": USUAL | SWALLOWED,
    "sproom": USUAL | SWALLOWED,
    "ecourier": USUAL | SWALLOWED,
    "storecove": USUAL | SWALLOWED,
    "recommand": USUAL | SWALLOWED,
    "accesspoint": USUAL | SWALLOWED,
    "peppol": OF_THE_REGISTER,
    "nemhandel": OF_THE_REGISTER,
    # The account is the user's own: nobody else will make room.
    "dropbox": USUAL | SWALLOWED | {"full": Refused},
}
KINDS = sorted(TABLE)


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Of a server whose certificate nobody signed but itself."""
    pair = make_pairs(tmp_path_factory.mktemp("stranger"), "stranger")["stranger"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate_path, pair.key_path)
    return context


@pytest.fixture
def tls_port(stranger: ssl.SSLContext) -> Iterator[Callable[[], int]]:
    """Starts a listener that begins with TLS and goes no further."""
    with contextlib.ExitStack() as stack:

        def start() -> int:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def run() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        client, _ = listener.accept()
                        client.settimeout(5)
                        with client, contextlib.suppress(OSError), stranger.wrap_socket(client, server_side=True):
                            pass

            thread = threading.Thread(target=run)
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return int(listener.getsockname()[1])

        yield start


@pytest.fixture(params=KINDS)
def scene(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    consignment: Callable[..., Consignment], tls_port: Callable[[], int],
) -> Iterator[Scene]:  # fmt: skip
    receiver = RECEIVERS[request.param](tmp_path / "receiver")
    with receiver, FaultProxy(receiver.port, ftp=receiver.ftp) as proxy:
        one = consignment(
            companions=(), sender=Participant(CVR, "12345674"), receiver=Participant(GLN, "5798000000001")
        )
        yield Scene(receiver, proxy, monkeypatch, one, receiver.config(proxy.port), tls_port)


def leaks(scene: Scene, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Secrets in anything that is stored, shown or logged."""
    told = [
        record.getMessage() + str(record.exc_text)
        for record in caplog.records
        if not record.name.startswith(OF_SERVERS)
    ]
    told.append(str(scene.transport(scene.config, scene.guard).wire_ids(scene.consignment)))
    error: BaseException | None = scene.result if isinstance(scene.result, BaseException) else None
    told += [] if error else [repr(scene.result)]
    while error is not None:
        told += [str(error), repr(error), str(vars(error))]
        error = error.__cause__ or error.__context__
    return [secret for secret in scene.receiver.secrets() for text in told if secret in text]


def test_every_kind_has_a_row_and_every_row_every_situation():
    assert set(TABLE) == set(RECEIVERS) == {kind for kind, transport in registry().items() if transport.sends}
    assert all(set(row) == set(SITUATIONS) for row in TABLE.values())


@pytest.mark.parametrize("situation", SITUATIONS)
def test_each_failure_is_exactly_one_of_the_four_and_true(scene, situation, caplog):
    expected = TABLE[scene.receiver.kind][situation]
    SITUATIONS[situation](scene)
    with caplog.at_level(logging.DEBUG):
        scene.send()
    assert type(scene.result) is (expected or Receipt), scene.result
    has_effect = expected is None or (expected is Unknown and situation not in SWALLOWED)
    assert len(scene.receiver.effects) == has_effect
    assert leaks(scene, caplog) == []
    if isinstance(scene.result, TransportError):
        assert scene.result.text.da and scene.result.text.en


def test_a_closed_network_is_not_even_connected_to(scene):
    closed_network(scene)
    scene.send()
    assert scene.proxy.accepted == 0


def test_the_wire_ids_are_those_that_the_server_sees_in_every_attempt(scene):
    scene.receiver.on_effect = lambda: scene.proxy.strike(Fault(Harm.RESET, 0, Way.DOWN))
    first = scene.transport(scene.config, scene.guard).wire_ids(scene.consignment)
    scene.send()
    assert isinstance(scene.result, Unknown)
    scene.receiver.on_effect = lambda: None
    scene.send()
    assert isinstance(scene.result, Receipt)
    assert scene.transport(scene.config, scene.guard).wire_ids(scene.consignment) == first
    is_safe = scene.transport(scene.config).replay is Replay.SAFE
    assert scene.receiver.effects == [(first[scene.receiver.wire_id], scene.consignment.payload.sha256)] * (2 - is_safe)


def test_no_socket_waits_without_a_limit(scene, monkeypatch):
    connect, opened, limits = socket.create_connection, [], []

    def watched(*arguments: Any, **options: Any) -> socket.socket:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(socket, "create_connection", watched)
    # The client waits for the answer at that moment.
    scene.receiver.on_effect = lambda: limits.extend(one.gettimeout() for one in opened if one.fileno() != -1)
    scene.send()
    assert isinstance(scene.result, Receipt)
    assert limits and None not in limits


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_line_does_it_is_one_of_the_four_and_true(scene, seed, caplog):
    scene.be_impatient(0.25, 0.5)
    line = (Harm.RESET, Harm.CUT, Harm.HALF_CLOSE, Harm.REFUSE, Harm.SLOW)
    for number in range(8):
        scene.proxy.plan = at_random(seed * 100 + number, 1, line, most=20_000)
        scene.another(f"{random.Random(number).randbytes(16).hex()}{seed}", number)
        scene.send()
        check_truth(scene, {Unavailable, Unknown}, (seed, number))
    assert leaks(scene, caplog) == []


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_server_says_it_is_one_of_the_four_and_true(scene, seed, caplog):
    scene.be_impatient(0.25, 0.5)
    chance = random.Random(seed)
    with caplog.at_level(logging.DEBUG):
        for number in range(8):
            scene.proxy.plan = at_random(seed * 100 + number, 1, (Harm.GARBLE,), most=3_000)
            scene.another(f"{chance.randbytes(16).hex()}{seed}", number)
            scene.send()
            check_truth(scene, ERRORS, (seed, number))
    assert leaks(scene, caplog) == []


@pytest.mark.parametrize("harm", [Harm.STALL, Harm.GARBLE, Harm.CUT])
def test_a_connection_test_ends_with_its_steps_whatever_the_line_does(scene, harm, caplog):
    scene.be_impatient(0.25, 0.5)
    scene.proxy.plan = at_random(5, 1, (harm,), most=1_000)
    with scene.transport(scene.config, scene.guard) as opened, caplog.at_level(logging.DEBUG):
        steps = opened.check()
    assert steps and all(step.ok for step in steps[:-1])
    assert leaks(scene, caplog) == []
    assert not [secret for secret in scene.receiver.secrets() for step in steps if secret in str(step)]


def check_truth(scene: Scene, allowed: set[type[TransportError]], seed: tuple[int, int]) -> None:
    """What ``send`` said fits to what the server has."""
    arrived = scene.receiver.effects.count((scene.name, scene.consignment.payload.sha256))
    if isinstance(scene.result, Receipt):
        assert arrived == 1, seed
    else:
        assert type(scene.result) in allowed, (seed, scene.result)
        assert arrived <= isinstance(scene.result, Unknown), (seed, scene.result)
