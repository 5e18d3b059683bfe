from __future__ import annotations

from pathlib import Path

import pytest

from invoiceapp.domain.fields import parse_all
from invoiceapp.domain.network import REGISTERS, Network
from invoiceapp.gateways import network
from invoiceapp.gateways.base import Consignment, Payload, Refused, registry
from invoiceapp.gateways.network import NetworkTransport


def values(**typed):
    found, errors = parse_all(NetworkTransport.fields, typed)
    assert errors == {}
    return found


def test_it_is_found_and_chooses_only():
    assert registry()["network"] is NetworkTransport and not NetworkTransport.sends


def test_an_empty_form_looks_the_live_networks_up_every_night():
    found = {field.name: field.default for field in NetworkTransport.fields} | {"lookup": "live"}
    assert (found["recheck"], found["recheck_hour"], found["max_age_hours"]) == (True, 3, 24)
    assert NetworkTransport.problems(found, ()) == {} and NetworkTransport.findings(found) == []


def test_registers_of_ones_own_must_be_named():
    assert set(NetworkTransport.problems({"lookup": "own"}, ())) == {"register_url"}
    assert NetworkTransport.problems({"lookup": "own", "peppol_zone": "sml.example"}, ()) == {}


def test_the_test_networks_are_warned_about():
    (finding,) = NetworkTransport.findings({"lookup": "test"})
    assert finding.rule == "IA-NETWORK-TEST" and not finding.is_fatal


@pytest.mark.parametrize("hour", ["24", "-1", "midnat"])
def test_an_hour_that_no_day_has_is_refused(hour):
    _, errors = parse_all(NetworkTransport.fields, {"lookup": "live", "recheck": "true", "recheck_hour": hour})
    assert set(errors) == {"recheck_hour"}


def test_the_check_says_where_is_looked_up_and_asks_nobody():
    (step,) = NetworkTransport(values(lookup="live")).check()
    assert step.ok and REGISTERS["live"].register_url in step.detail.da
    assert REGISTERS["live"].zones[Network.PEPPOL] in step.detail.da


def test_the_check_fails_where_nothing_is_named():
    (step,) = NetworkTransport({"lookup": "own"}).check()
    assert not step.ok and "NemHandelsregisterets" in step.detail.da


def test_nothing_can_be_sent_through_it():
    consignment = Consignment("key", Payload(b"x", "x.xml", "application/xml"))
    transport = NetworkTransport({"lookup": "live"})
    assert transport.wire_ids(consignment) == {}
    with pytest.raises(Refused):
        transport.send(consignment)


@pytest.mark.parametrize("language", ["da", "en"])
def test_its_help_lies_beside_it(language):
    text = (Path(network.__file__).parent / f"help.{language}.md").read_text(encoding="utf-8")
    assert text.startswith("# ") and len(text) > 1500


@pytest.mark.parametrize("name", ["nemhandel_anchors", "peppol_anchors", "lookup_ca"])
def test_roots_that_cannot_be_read_are_named(name):
    assert set(NetworkTransport.problems({"lookup": "live", name: "hej"}, frozenset())) == {name}
