"""Where the stand-ins listen, from one start to the next."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from invoiceapp.demo import addresses, serve
from invoiceapp.demo.addresses import BILLY_PORT, NETWORK_PORTS, PROVIDER_PORTS, SFTP_PORT, SMTP_PORT, Addresses
from invoiceapp.demo.networks.ports import Ports
from invoiceapp.processes import free_port


def published(tmp_path, billy_port=18101):
    found = Addresses(f"http://127.0.0.1:{billy_port}/v2", "http://127.0.0.1:1/partners", 18102, 18103, "SHA256:x")
    addresses.write(tmp_path, found)
    return found


def test_the_first_start_asks_for_the_usual_ports(tmp_path):
    assert addresses.wanted_ports(tmp_path) == (BILLY_PORT, SFTP_PORT, SMTP_PORT)


def test_after_a_crash_the_last_ports_are_asked_for(tmp_path):
    published(tmp_path)
    assert addresses.wanted_ports(tmp_path) == (18101, 18102, 18103)


def test_after_an_orderly_end_the_last_ports_are_asked_for_but_nobody_is_sent_there(tmp_path):
    published(tmp_path)
    addresses.forget(tmp_path)
    addresses.forget(tmp_path)
    assert addresses.wanted_ports(tmp_path) == (18101, 18102, 18103)
    assert addresses.read(tmp_path) is None


def test_registers_are_asked_for_where_they_were(tmp_path):
    assert addresses.wanted_network_ports(tmp_path) == NETWORK_PORTS
    url = "https://127.0.0.1:{}/x".format
    found = replace(
        published(tmp_path), dns_port=1, peppol_smp_url=url(2), nemhandel_smp_url=url(3), register_url=url(4),
        directory_url=url(5),
    )  # fmt: skip
    addresses.write(tmp_path, found)
    assert addresses.wanted_network_ports(tmp_path) == Ports(1, 2, 3, 4, 5)


def test_addresses_of_an_earlier_version_are_read_and_name_no_registers(tmp_path):
    published(tmp_path)
    path = tmp_path / "demo" / "addresses.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({name: stored[name] for name in list(stored)[:5]}))
    assert addresses.wanted_ports(tmp_path) == (18101, 18102, 18103)
    assert addresses.wanted_network_ports(tmp_path) == NETWORK_PORTS
    assert addresses.wanted_provider_ports(tmp_path) == PROVIDER_PORTS


def test_providers_are_asked_for_where_they_were(tmp_path):
    assert addresses.wanted_provider_ports(tmp_path) == PROVIDER_PORTS
    addresses.write(tmp_path, replace(published(tmp_path), providers={"sproom": "http://127.0.0.1:18109/api"}))
    assert addresses.wanted_provider_ports(tmp_path) == PROVIDER_PORTS | {"sproom": 18109}


def test_a_file_that_cannot_be_read_is_no_memory(tmp_path):
    published(tmp_path)
    (tmp_path / "demo" / "addresses.json").write_text("{")
    assert addresses.wanted_ports(tmp_path) == (BILLY_PORT, SFTP_PORT, SMTP_PORT)


@pytest.mark.server
def test_restarted_stand_ins_are_found_where_they_were(tmp_path):
    port = free_port()
    published(tmp_path, port)
    with serve.running(tmp_path) as first:
        assert first.billy_url == f"http://127.0.0.1:{port}/v2"
    with serve.running(tmp_path) as second:
        assert second == first
