"""Reading certificates and keys, and which one counts on which day."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from invoiceapp.gateways.as2 import As2Transport
from invoiceapp.gateways.as2.certificates import (
    load_certificate,
    load_pair,
    own_pair,
    partner_certificate,
    partner_signers,
)
from invoiceapp.gateways.certificates import Unusable, load_key

SWITCH = date(2026, 12, 1)
DAY = timedelta(days=1)


def _pem(key, *, password=None):
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


def test_a_certificate_is_read_with_and_without_its_frame(pairs):
    pem = pairs["own"].certificate
    bare = "\n".join(pem.strip().splitlines()[1:-1])
    windows = "\r\n" + pem.replace("\n", "\r\n") + "\r\n"
    assert load_certificate(pem) == load_certificate(bare) == load_certificate(windows) == pairs["own"].loaded


@pytest.mark.parametrize("text", ["", "nonsense", "æøå", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", base64.b64encode(b"x" * 99).decode()])  # fmt: skip
def test_what_is_no_certificate_is_unusable(text):
    with pytest.raises(Unusable):
        load_certificate(text)


def test_a_key_in_the_place_of_a_certificate_is_unusable(pairs):
    with pytest.raises(Unusable):
        load_certificate(pairs["own"].key)


def test_two_certificates_are_too_many(pairs):
    with pytest.raises(Unusable, match="several"):
        load_certificate(pairs["own"].certificate + pairs["partner"].certificate)


@pytest.mark.parametrize("text", ["", "nonsense", "æ"])
def test_what_is_no_key_is_unusable(text):
    with pytest.raises(Unusable):
        load_key(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: _pem(rsa.generate_private_key(65537, 1024)),
        lambda: _pem(ed25519.Ed25519PrivateKey.generate()),
        lambda: _pem(ec.generate_private_key(ec.SECP256R1()), password=b"secret"),
    ],
    ids=["1024", "ed25519", "locked"],
)
def test_a_key_that_cannot_be_used_is_not_quoted(make):
    text = make()
    with pytest.raises(Unusable) as caught:
        load_key(text)
    body = text.splitlines()[1]
    assert body not in f"{caught.value} {caught.value.text}"


def test_a_pair_belongs_together(pairs):
    assert load_pair(pairs["own"].certificate, pairs["own"].key)[0] == pairs["own"].loaded
    with pytest.raises(Unusable, match="belong together"):
        load_pair(pairs["own"].certificate, pairs["partner"].key)


def _own(pairs, **changes):
    following = pairs["own_next"]
    return {
        "own_certificate": pairs["own"].certificate,
        "own_key": pairs["own"].key,
        "own_next_certificate": following.certificate,
        "own_next_key": following.key,
        "own_switch_on": SWITCH.isoformat(),
    } | changes


@pytest.mark.parametrize(
    ("day", "changes", "name"),
    [
        (SWITCH - DAY, {}, "own"),
        (SWITCH, {}, "own_next"),
        (SWITCH, {"own_switch_on": None}, "own"),
        (SWITCH, {"own_next_key": None}, "own"),
    ],
    ids=["before", "from", "no-date", "no-key"],
)
def test_our_next_pair_counts_from_its_date_on(pairs, day, changes, name):
    assert own_pair(_own(pairs, **changes), day)[0] == pairs[name].loaded


def _partner(pairs, **changes):
    return {
        "partner_certificate": pairs["partner"].certificate,
        "partner_next_certificate": pairs["partner_next"].certificate,
        "partner_switch_on": SWITCH.isoformat(),
    } | changes


@pytest.mark.parametrize(
    ("day", "for_encryption", "for_receipts"),
    [
        (SWITCH - 31 * DAY, "partner", {"partner"}),
        (SWITCH - 30 * DAY, "partner", {"partner", "partner_next"}),
        (SWITCH - DAY, "partner", {"partner", "partner_next"}),
        (SWITCH, "partner_next", {"partner", "partner_next"}),
        (SWITCH + 30 * DAY, "partner_next", {"partner", "partner_next"}),
        (SWITCH + 31 * DAY, "partner_next", {"partner_next"}),
    ],
)
def test_both_certificates_of_the_partner_count_in_the_window(pairs, day, for_encryption, for_receipts):
    made = _partner(pairs)
    assert partner_certificate(made, day) == pairs[for_encryption].loaded
    expected = [pairs[name].loaded for name in sorted(for_receipts)]
    assert partner_signers(made, day) == expected


@pytest.mark.parametrize("changes", [{"partner_next_certificate": None}, {"partner_switch_on": None}], ids=str)
def test_without_a_next_one_and_its_date_only_the_current_one_counts(pairs, changes):
    assert partner_signers(_partner(pairs, **changes), SWITCH) == [pairs["partner"].loaded]


def test_all_four_certificates_have_an_end(pairs, config):
    made = config(**_own(pairs), **_partner(pairs))
    found = {one.field: one for one in As2Transport.expiries(made)}
    assert {*found} == {
        "own_certificate", "own_next_certificate", "partner_certificate", "partner_next_certificate"
    }  # fmt: skip
    one = found["partner_next_certificate"]
    assert one.ends == pairs["partner_next"].loaded.not_valid_after_utc
    assert one.ends > datetime.now(UTC)
    assert len(one.fingerprint) == 64


def test_what_cannot_be_read_has_no_end(config):
    made = config(own_certificate="nonsense", partner_certificate=None)
    assert As2Transport.expiries(made) == []
