from __future__ import annotations

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep
from invoiceapp.services.configuration import gateways, host_keys
from invoiceapp.services.errors import Conflict, InvalidInput

FINGERPRINT = "SHA256:" + "A" * 43
SFTP = {"host": "sftp.example.com", "username": "firma", "password": "hemmelig-kode"}


def shown_step(ok: bool = False) -> CheckStep:
    detail = Text(f"Serverens nøgle er {FINGERPRINT}.", f"The server's key is {FINGERPRINT}.")
    return CheckStep(Text("Nøgle", "Key"), ok, detail)


def test_a_shown_server_key_can_be_confirmed_once(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP)
    assert host_keys.shown(row, [shown_step(ok=True)]) is None
    assert host_keys.shown(row, [shown_step()]) == FINGERPRINT
    host_keys.trust(row.id, FINGERPRINT)
    assert row.config["host_key"] == FINGERPRINT
    assert host_keys.shown(row, [shown_step()]) is None, "a changed key is never one click away"
    with pytest.raises(Conflict):
        host_keys.trust(row.id, "SHA256:" + "B" * 43)
    assert row.config["host_key"] == FINGERPRINT


def test_a_server_key_of_a_wrong_form_is_refused(subscription):
    row = gateways.save(subscription.id, "sftp", "A", SFTP)
    with pytest.raises(InvalidInput) as caught:
        host_keys.trust(row.id, "trust me")
    assert set(caught.value.errors) == {"host_key"} and not row.config.get("host_key")


def test_kinds_without_a_server_key_have_none_to_confirm(gateway):
    assert host_keys.shown(gateway, [shown_step()]) is None
    with pytest.raises(Conflict):
        host_keys.trust(gateway.id, FINGERPRINT)
