"""Our certificates and keys: which counts on which day, and what is said of those that cannot be used."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from support.pki import ec_key, key_pem
from support.receivers.as4 import holder, pki

from invoiceapp.gateways.as4 import keys, settings
from invoiceapp.gateways.as4.check import CertificateTest
from invoiceapp.gateways.as4.keys import Believed
from invoiceapp.gateways.base import registry
from invoiceapp.gateways.certificates import Unusable
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import HttpClient

OWN, NEXT = holder("POP000001"), holder("POP000003")
ROOTS = pki().root_pem + pki().intermediate_pem
GOOD: dict[str, Any] = {
    "own_certificate": OWN.pem, "own_key": OWN.key_pem, "anchors": ROOTS, "revocation": "off",
}  # fmt: skip
FOLLOWED = GOOD | {
    "own_next_certificate": NEXT.pem,
    "own_next_key": NEXT.key_pem,
    "own_switch_on": "2026-12-01",
}
SECRETS = {"own_key"}
BEFORE, AFTER = date(2026, 11, 30), date(2026, 12, 1)


def names(found: list[keys.Identity]) -> list[str]:
    return [keys.chains.subject_common_name(one.certificate) or "" for one in found]


def test_the_next_pair_counts_from_its_day_and_both_open_what_comes_in():
    assert names(keys.identities_of(FOLLOWED, BEFORE)) == ["POP000001", "POP000003"]
    assert names(keys.identities_of(FOLLOWED, AFTER)) == ["POP000003", "POP000001"]
    assert names(keys.identities_of(GOOD, AFTER)) == ["POP000001"]
    assert names([keys.identity_of(FOLLOWED, AFTER)]) == ["POP000003"]


def test_certificates_of_the_authority_may_follow_ours():
    assert keys.identity_of(GOOD | {"own_certificate": OWN.pem + ROOTS}, BEFORE).certificate == OWN.certificate


def test_our_certificate_is_declared_as_issued_by_an_authority():
    assert keys.OWN.is_issued
    assert not any(pair.is_issued for kind in ("as2", "http", "vans") for pair in registry()[kind].key_pairs)


@pytest.mark.parametrize(
    "wrong",
    [
        {"own_certificate": ""},
        {"own_key": None},
        {"own_certificate": "no certificate"},
        {"own_key": "no key"},
        {"own_key": NEXT.key_pem},
        {"own_key": key_pem(ec_key())},
    ],
)
def test_a_pair_that_cannot_be_used_says_why_and_quotes_nothing(wrong):
    with pytest.raises(Unusable) as unusable:
        keys.identity_of(GOOD | wrong, BEFORE)
    assert "BEGIN PRIVATE" not in str(unusable.value)
    assert unusable.value.text.da


def test_ends_are_those_of_our_certificates_and_the_first_root():
    assert [one.field for one in keys.expiries(FOLLOWED)] == ["own_certificate", "own_next_certificate", "anchors"]
    assert keys.expiries({"own_certificate": "nothing to be read"}) == []


def test_a_good_configuration_has_no_problems():
    assert settings.problems(FOLLOWED, SECRETS | {"own_next_key"}) == {}
    assert settings.findings(FOLLOWED | {"revocation": "soft"}) == []


def test_without_any_certificate_it_can_be_saved_and_says_what_is_missing():
    assert settings.problems({}, ()) == {}
    assert [(one.rule, one.is_fatal) for one in settings.findings({})] == [
        ("IA-AS4-NO-CERTIFICATE", True), ("IA-AS4-NO-ANCHORS", True),
    ]  # fmt: skip


def test_whoever_does_not_ask_about_revocation_is_told():
    assert [(one.rule, one.is_fatal) for one in settings.findings(GOOD)] == [("IA-AS4-NO-REVOCATION", False)]


@pytest.mark.parametrize(
    ("config", "secrets", "field"),
    [
        ({"own_certificate": OWN.pem}, (), "own_key"),
        ({}, SECRETS, "own_certificate"),
        (GOOD | {"own_certificate": "no certificate"}, SECRETS, "own_certificate"),
        (GOOD | {"own_key": NEXT.key_pem}, SECRETS, "own_key"),
        (GOOD | {"anchors": "no certificate"}, SECRETS, "anchors"),
        (GOOD | {"own_next_certificate": NEXT.pem, "own_switch_on": "2027-01-01"}, SECRETS, "own_next_certificate"),
        (FOLLOWED | {"own_switch_on": None}, SECRETS | {"own_next_key"}, "own_switch_on"),
        (FOLLOWED | {"own_next_key": OWN.key_pem}, SECRETS | {"own_next_key"}, "own_next_key"),
    ],
)
def test_what_can_never_work_is_said_at_its_field(config, secrets, field):
    assert list(settings.problems(config, secrets)) == [field]


def steps(**changes: Any) -> list[bool]:
    config = GOOD | changes
    with HttpClient(Guard()) as client:
        return [step.ok for step in CertificateTest(config, Believed.of(config), client).run()]


def past() -> str:
    start = datetime.now(UTC) - timedelta(days=300)
    return pki().holder("POP000001", valid=(start, start + timedelta(days=100))).pem


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [True, True, True]),
        ({"own_certificate": ""}, [False]),
        ({"own_certificate": past()}, [False]),
        ({"own_key": NEXT.key_pem}, [True, False]),
        ({"anchors": ""}, [True, True, False]),
        ({"anchors": OWN.pem}, [True, True, False]),
    ],
)
def test_the_connection_test_looks_at_our_certificate_its_key_and_its_issuer(changes, expected):
    assert steps(**changes) == expected
