from __future__ import annotations

import pytest

from invoiceapp.domain.network import AS4_PROFILE, REGISTERS, Network
from invoiceapp.services.reach.settings import fingerprint, of_config


@pytest.mark.parametrize("chosen", ["live", "test"])
def test_known_networks_are_looked_up_where_they_publish(chosen):
    settings = of_config({"lookup": chosen, "peppol_zone": "ignored.example", "peppol_anchors": "PEM"})
    assert settings.zones == REGISTERS[chosen].zones and settings.register_url == REGISTERS[chosen].register_url
    assert settings.anchors == {Network.PEPPOL: "PEM"} and settings.ca is None and settings.name_servers == ()


def test_nothing_chosen_is_the_live_networks():
    assert of_config({}) == of_config({"lookup": "live"})


def test_other_addresses_replace_all_of_them():
    settings = of_config(
        {"lookup": "own", "peppol_zone": "p.example", "register_url": "https://nhr.example/", "lookup_ca": "PEM"}
    )
    assert settings.zones == {Network.PEPPOL: "p.example"}
    assert settings.register_url == "https://nhr.example" and settings.directory_url == "" and settings.ca == "PEM"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", ()),
        ("192.0.2.1", (("192.0.2.1", 53),)),
        ("192.0.2.1:5353", (("192.0.2.1", 5353),)),
        ("2001:db8::1", (("2001:db8::1", 53),)),
        ("[2001:db8::1]:5353", (("2001:db8::1", 5353),)),
        ("dns.example", (("dns.example", 53),)),
    ],
)
def test_a_name_server_may_have_a_port(typed, expected):
    assert of_config({"lookup": "own", "name_server": typed}).name_servers == expected


def test_live_and_test_are_two_places_and_anchors_make_no_other():
    assert fingerprint(of_config({})) != fingerprint(of_config({"lookup": "test"}))
    assert fingerprint(of_config({})) == fingerprint(of_config({"peppol_anchors": "PEM"}))


@pytest.mark.parametrize("where", [{}, {"lookup": "own", "nemhandel_zone": "n.example"}])
def test_what_the_register_calls_as4_is_a_setting_of_nemhandel_and_another_place_to_ask(where):
    usual, other = of_config(where), of_config(where | {"nemhandel_profile": "nemhandel-as4"})
    assert usual.profiles == dict.fromkeys(Network, AS4_PROFILE)
    assert other.profiles == {Network.PEPPOL: AS4_PROFILE, Network.NEMHANDEL: "nemhandel-as4"}
    assert fingerprint(usual) != fingerprint(other)
    assert fingerprint(usual) == fingerprint(of_config(where | {"nemhandel_profile": AS4_PROFILE}))
