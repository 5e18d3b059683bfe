"""The facade: which register is asked, with which settings, and how often."""

from __future__ import annotations

import threading

import pytest
from support.outbound import LOOPBACK
from support.smp import WHO, service_group

from invoiceapp.discovery import client, directory, nemhandelsregisteret, turns
from invoiceapp.discovery.base import CouldNotAsk
from invoiceapp.discovery.client import Discovery
from invoiceapp.discovery.turns import PoliteClient, Turns
from invoiceapp.domain.network import Network
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError, Reason

pytestmark = pytest.mark.server


@pytest.fixture
def slept(monkeypatch):
    """How long our turns were waited for; no time passes."""
    naps = []
    monkeypatch.setattr(turns, "sleep", naps.append)
    monkeypatch.setattr(turns, "monotonic", lambda: 1000.0)
    return naps


def test_each_question_is_passed_on_with_its_address(make_settings, monkeypatch):
    said = []
    for module, name in ((nemhandelsregisteret, "company"), (nemhandelsregisteret, "receiver"), (directory, "named")):
        monkeypatch.setattr(module, name, lambda http, *rest, name=name: said.append((name, *rest[:-1])) or name)
    settings = make_settings(register_url="https://register.test/api", directory_url="https://directory.test")
    with Discovery(settings, LOOPBACK) as discovery:
        assert discovery.company("12345674") == "company"
        assert discovery.receiver(WHO) == "receiver"
        assert discovery.named("Eksempel", "DK") == "named"
    assert said == [
        ("company", "https://register.test/api", "12345674"),
        ("receiver", "https://register.test/api", WHO),
        ("named", "https://directory.test", "Eksempel", "DK"),
    ]


@pytest.mark.parametrize(
    "ask", [lambda one: one.company("12345674"), lambda one: one.receiver(WHO), lambda one: one.named("Eksempel")]
)
def test_a_register_without_an_address_is_not_asked(make_settings, ask):
    with Discovery(make_settings(), LOOPBACK) as discovery, pytest.raises(CouldNotAsk) as caught:
        ask(discovery)
    assert "not set up here" in caught.value.text.en


def test_an_unreadable_root_certificate_is_told(make_settings):
    with Discovery(make_settings(ca="no certificate"), LOOPBACK) as discovery, pytest.raises(CouldNotAsk) as caught:
        discovery.registration(Network.PEPPOL, WHO)
    assert "root certificate" in caught.value.text.en


def test_the_directory_is_asked_more_slowly(make_settings):
    settings = make_settings(directory_url="https://directory.test/api", per_second=15)
    with Discovery(settings, LOOPBACK) as discovery:
        http = discovery._http()
        assert isinstance(http, PoliteClient)
        assert (http._per_second, http._slower) == (15, {"directory.test": client.DIRECTORY_PER_SECOND})


def test_it_may_be_used_again_after_it_was_closed(discovery, registered):
    registered.group(service_group([]))
    for _ in range(2):
        assert discovery.registration(Network.PEPPOL, WHO).is_registered
        discovery.close()
    discovery.close()


def test_several_threads_share_the_turns_at_a_host(make_settings, registered, monkeypatch):
    """Five questions at 20 a second: the last waits for four turns."""
    monkeypatch.setattr(turns, "_OF_THIS_PROCESS", Turns())
    registered.group(service_group([]))
    naps = []
    monkeypatch.setattr(turns, "sleep", naps.append)
    monkeypatch.setattr(turns, "monotonic", lambda: 1000.0)

    def ask():
        with Discovery(make_settings(per_second=20), LOOPBACK) as discovery:
            discovery.registration(Network.PEPPOL, WHO)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(naps) == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])


def test_turns_at_different_hosts_do_not_wait_for_each_other(slept):
    ours = Turns()
    for host in ("one.test", "two.test", "one.test"):
        ours.wait(host, 4, Deadline(10, 10))
    assert slept == [0, 0, 0.25]


def test_a_turn_after_the_deadline_is_not_waited_for_and_not_taken(slept):
    ours = Turns()
    ours.wait("one.test", 0.5, Deadline(10, 10))
    with pytest.raises(TimeoutError):
        ours.wait("one.test", 0.5, Deadline(1, 10))
    ours.wait("one.test", 0.5, Deadline(10, 10))
    assert slept == [0, 2.0]


def test_a_client_whose_turn_comes_too_late_says_that_time_is_up(slept, monkeypatch):
    monkeypatch.setattr(turns, "_OF_THIS_PROCESS", ours := Turns())
    ours.wait("one.test", 0.1, Deadline(10, 10))
    with PoliteClient(LOOPBACK, None, 0.1) as http, pytest.raises(OutboundError) as caught:
        http.request("GET", "https://one.test/", Deadline(1, 1))
    assert caught.value.reason is Reason.TIMEOUT
