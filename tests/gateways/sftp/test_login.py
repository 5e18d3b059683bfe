"""Key, password, or one after the other, as the server wants."""

from __future__ import annotations

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL

from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, _Login
from invoiceapp.gateways.base import Refused

pytestmark = pytest.mark.server


@pytest.fixture
def wants_both(monkeypatch, openssh):
    """The demo server takes the key of ``openssh`` as a first factor and the password as the second."""

    def first(self, username, key):
        self.has_key = True
        return AUTH_PARTIALLY_SUCCESSFUL

    password = _Login.check_auth_password
    monkeypatch.setattr(_Login, "has_key", False, raising=False)
    monkeypatch.setattr(_Login, "get_allowed_auths", lambda self, _: "password" if self.has_key else "publickey")
    monkeypatch.setattr(_Login, "check_auth_publickey", first)
    monkeypatch.setattr(
        _Login, "check_auth_password", lambda self, *who: password(self, *who) if self.has_key else AUTH_FAILED
    )
    return openssh.private_key


def test_a_server_that_wants_key_and_password_gets_both(at_demo, demo, consignment, wants_both):
    with at_demo(private_key=wants_both) as transport:
        transport.send(consignment())
    assert demo.logins == 1


@pytest.mark.parametrize("changes", [{"password": None}, {"password": "wrong"}, {"private_key": None}])
def test_one_of_two_factors_is_not_enough(at_demo, demo, consignment, wants_both, changes):
    with at_demo(**{"private_key": wants_both, **changes}) as transport, pytest.raises(Refused):
        transport.send(consignment())
    assert demo.logins == 0


@pytest.mark.parametrize("answer", [DEMO_PASSWORD, "another"], ids=["right", "wrong"])
def test_a_server_that_asks_for_the_password_in_a_dialogue_is_answered(at_demo, consignment, monkeypatch, answer):
    # keyboard-interactive (RFC 4256), as many servers offer in place of "password"
    monkeypatch.setattr(_Login, "get_allowed_auths", lambda *_: "keyboard-interactive")
    monkeypatch.setattr(
        _Login, "check_auth_interactive", lambda *_: paramiko.server.InteractiveQuery("", "", ("Password: ", False))
    )
    monkeypatch.setattr(
        _Login,
        "check_auth_interactive_response",
        lambda _, responses: AUTH_SUCCESSFUL if responses == [DEMO_PASSWORD] else AUTH_FAILED,
    )
    with at_demo(password=answer) as transport:
        if answer == DEMO_PASSWORD:
            transport.send(consignment())
        else:
            with pytest.raises(Refused):
                transport.send(consignment())


def test_a_key_with_a_passphrase_logs_in_at_openssh(at_openssh, openssh, consignment, inbox):
    key = openssh.locked_key("kodeord")
    with at_openssh(private_key=key, passphrase="kodeord") as transport:
        transport.send(consignment())
    with at_openssh(private_key=key, passphrase="forkert") as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert "forkert" not in f"{caught.value} {caught.value.detail}"
