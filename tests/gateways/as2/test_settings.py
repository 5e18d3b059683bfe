"""Configurations that can never work, and unwise ones."""

from __future__ import annotations

import pytest

from invoiceapp.domain.fields import FieldType, parse_all
from invoiceapp.gateways.as2 import As2Transport

SECRETS = {"own_key"}


def _problems(made, secrets=SECRETS):
    return {*As2Transport.problems(made, secrets)}


def test_a_complete_configuration_has_no_problem(config):
    assert As2Transport.problems(config(), SECRETS) == {}
    assert As2Transport.findings(config()) == []


@pytest.mark.parametrize(
    ("changes", "secrets", "fields"),
    [
        ({"own_certificate": None}, SECRETS, {"own_certificate"}),
        ({"own_key": None}, set(), {"own_key"}),
        ({"sign": False, "own_certificate": None, "own_key": None}, set(), set()),
        ({"own_certificate": None, "own_key": None, "partner_certificate": None}, set(), set()),
        ({"mdn": "async"}, SECRETS, set()),
        ({"as2_to": "Firma-AS2"}, SECRETS, {"as2_to"}),
        ({"username": "x"}, SECRETS, {"password"}),
        ({}, {"own_key", "password"}, {"username"}),
        ({"username": "x"}, {"own_key", "password"}, set()),
        ({"username": "x", "url": "http://as2.example/"}, {"own_key", "password"}, {"url"}),
        ({"own_certificate": "nonsense"}, SECRETS, {"own_certificate"}),
        ({"partner_certificate": "nonsense"}, SECRETS, {"partner_certificate"}),
    ],
)
def test_what_is_missing_is_told_at_its_field(config, changes, secrets, fields):
    assert _problems(config(**changes), secrets) == fields


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"own_certificate": None}, {"IA-AS2-NO-CERTIFICATE"}),
        ({"sign": False, "own_certificate": None}, set()),
        ({"partner_certificate": None}, {"IA-AS2-NO-PARTNER-CERTIFICATE"}),
        ({"partner_certificate": None, "encrypt": "none"}, {"IA-AS2-NO-PARTNER-CERTIFICATE"}),
        ({"partner_certificate": None, "encrypt": "none", "mdn_signed": False}, {"IA-AS2-UNSIGNED-RECEIPT"}),
        ({"partner_certificate": None, "encrypt": "none", "mdn": "none"}, {"IA-AS2-NO-RECEIPT"}),
    ],
)
def test_it_is_said_which_certificate_is_missing_yet(config, changes, rules):
    found = {one.rule for one in As2Transport.findings(config(**changes))}
    assert found - {"IA-AS2-UNENCRYPTED"} == rules


def test_without_its_certificates_nothing_can_be_sent(config):
    found = As2Transport.findings(config(own_certificate=None, partner_certificate=None, mdn_signed=False))
    assert {one.rule for one in found if one.is_fatal} == {"IA-AS2-NO-CERTIFICATE", "IA-AS2-NO-PARTNER-CERTIFICATE"}


def test_a_next_pair_is_whole_and_has_a_date(config, pairs):
    following = pairs["own_next"].certificate
    assert _problems(config(own_next_certificate=following)) == {"own_next_certificate", "own_switch_on"}
    whole = config(own_next_certificate=following, own_switch_on="2026-12-01")
    assert _problems(whole, {"own_key", "own_next_key"}) == set()


def test_the_partners_next_certificate_has_a_date(config, pairs):
    made = config(partner_next_certificate=pairs["partner_next"].certificate)
    assert _problems(made) == {"partner_switch_on"}


def test_a_key_of_another_pair_is_told_where_it_is_at_hand(config, pairs):
    assert _problems(config(own_key=pairs["partner"].key)) == {"own_key"}
    assert _problems(config(own_key=None)) == set()


def test_encryption_needs_rsa_and_receipts_do_not(config, pairs):
    curve = {"partner_certificate": pairs["curve"].certificate}
    assert _problems(config(**curve)) == {"partner_certificate"}
    assert _problems(config(encrypt="none", **curve)) == set()


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"mdn": "none"}, ["IA-AS2-NO-RECEIPT"]),
        ({"mdn_signed": False}, ["IA-AS2-UNSIGNED-RECEIPT"]),
        ({"encrypt": "none", "url": "http://as2.example/"}, ["IA-AS2-OPEN"]),
        ({"encrypt": "none"}, []),
        ({"url": "http://as2.example/"}, []),
    ],
)
def test_unwise_settings_are_warned_of(config, changes, rules):
    assert [one.rule for one in As2Transport.findings(config(**changes))] == rules


def test_only_what_must_stay_secret_is_secret():
    assert {field.name for field in As2Transport.fields if field.secret} == {"own_key", "own_next_key", "password"}
    assert {field.name for field in As2Transport.fields if field.is_kept_here} == {"own_key", "own_next_key"}


def test_the_pair_that_can_be_made_names_declared_fields():
    declared = {field.name: field for field in As2Transport.fields}
    (pair,) = As2Transport.key_pairs
    names = (pair.certificate, pair.key, pair.next_certificate, pair.next_key, pair.switch_on)
    assert {*names} <= {*declared}
    assert declared[pair.switch_on].type is FieldType.DATE


def test_a_form_without_values_has_safe_defaults():
    values, errors = parse_all(As2Transport.fields, {"url": "https://x.example/", "as2_from": "a", "as2_to": "b"})
    assert errors == {}
    chosen = {name: values[name] for name in ("sign", "encrypt", "mdn", "mdn_signed", "transfer_encoding", "dedupes")}
    assert chosen == {
        "sign": True,
        "encrypt": "aes256-cbc",
        "mdn": "sync",
        "mdn_signed": True,
        "transfer_encoding": "base64",
        "dedupes": False,
    }


@pytest.mark.parametrize("name", ["æ", "a\u2028b", "x" * 129])
def test_names_beyond_rfc_4130_are_not_taken(name):
    _, errors = parse_all(As2Transport.fields, {"url": "https://x.example/", "as2_from": name, "as2_to": "b"})
    assert {*errors} == {"as2_from"}
