"""What is filled in for NemHandel, and what can never work or is missing yet."""

from __future__ import annotations

import re

import pytest

from invoiceapp.domain.network import AS4_PROFILE
from invoiceapp.gateways.nemhandel import NemHandelTransport

FIELDS = {field.name: field for field in NemHandelTransport.fields}


def test_what_the_public_texts_leave_open_is_a_choice():
    names = [name for name, field in FIELDS.items() if field.group.en == "NemHandel's own choices"]
    assert names == ["party", "signature_version", "nemhandel_profile"]
    assert FIELDS["party"].default == "cvr"
    assert FIELDS["signature_version"].default is None
    assert FIELDS["nemhandel_profile"].default == AS4_PROFILE


@pytest.mark.parametrize(
    ("value", "is_one"), [(AS4_PROFILE, True), ("nemhandel:as4.v1-0", True), ("a b", False), ('"', False), ("", False)]
)
def test_a_transport_profile_is_one_word(value, is_one):
    assert bool(re.fullmatch(FIELDS["nemhandel_profile"].pattern, value)) is is_one


def test_a_pair_in_order_has_no_problem(config):
    assert NemHandelTransport.problems(config, {"own_key"}) == {}
    assert [one.severity for one in NemHandelTransport.findings(config | {"revocation": "soft"})] == []


def test_a_certificate_without_its_key_and_the_other_way_round_are_told(config):
    assert set(NemHandelTransport.problems(config, set())) == {"own_key"}
    assert set(NemHandelTransport.problems(config | {"own_certificate": None}, {"own_key"})) == {"own_certificate"}


def test_without_certificate_or_roots_nothing_can_be_sent_yet():
    rules = {one.rule for one in NemHandelTransport.findings({})}
    assert {"IA-AS4-NO-CERTIFICATE", "IA-AS4-NO-ANCHORS"} <= rules


def test_our_certificate_and_the_roots_end_one_day(config):
    assert {one.field for one in NemHandelTransport.expiries(config)} == {"own_certificate", "anchors"}
