"""The server shows the key that the user confirmed, or gets nothing."""

from __future__ import annotations

import contextlib

import pytest

from invoiceapp.demo.partners.sftp_server import SftpServer
from invoiceapp.gateways.base import Refused

pytestmark = pytest.mark.server


@pytest.mark.parametrize("pin", ["", "SHA256:" + "A" * 43], ids=["not confirmed", "changed"])
def test_a_server_with_another_key_gets_no_password(at_demo, demo, consignment, pin):
    with at_demo(host_key=pin) as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert demo.host_key in caught.value.text.da
    assert demo.logins == 0


def test_a_pinned_rsa_key_is_found_beside_other_keys(at_openssh, openssh, inbox, consignment):
    pin = f"ssh-rsa {openssh.fingerprints['ssh-rsa']}"
    with at_openssh(host_key=pin) as transport:
        assert transport.send(consignment()).evidence["host_key"] == openssh.fingerprints["ssh-rsa"]


def test_a_server_without_the_pinned_key_type_is_refused(at_demo, demo, consignment):
    with at_demo(host_key=f"ssh-rsa {demo.host_key}") as transport, pytest.raises(Refused):
        transport.send(consignment())


def test_a_changed_key_stops_the_gateway_in_words_that_say_so(at_demo, demo, consignment, tmp_path):
    before, after = at_demo(), at_demo()
    with before:
        before.send(consignment())
    demo.close()
    other = SftpServer(tmp_path / "other", tmp_path / "other_key", port=demo.port)
    with contextlib.closing(other), after, pytest.raises(Refused) as caught:
        after.send(consignment())
    assert "har ændret sig" in caught.value.text.da
    assert "has changed" in caught.value.text.en
    assert other.host_key in caught.value.text.da
    assert other.logins == 0


@pytest.mark.parametrize("way", ["send", "check"])
def test_the_key_that_was_shown_is_told_after_a_successful_conversation(at_demo, demo, consignment, way):
    with at_demo() as transport:
        assert transport.seen == {}
        if way == "send":
            transport.send(consignment())
        else:
            transport.check()
        assert transport.seen == {"host_key": demo.host_key}


def test_a_conversation_that_failed_tells_no_key(at_demo, consignment):
    with at_demo(password="wrong") as transport:
        transport.check()
        with pytest.raises(Refused):
            transport.send(consignment())
        assert transport.seen == {}
