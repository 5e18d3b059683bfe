from __future__ import annotations

from datetime import UTC, datetime

import pytest

from invoiceapp.domain.fields import counting, parse_all
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Expiry, registry
from invoiceapp.gateways.sftp import SftpTransport
from invoiceapp.gateways.vans import VansTransport, carriers

FORM = {
    "carrier": "sftp", "mailbox": "5790000000005", "sftp_host": "vans.example", "sftp_username": "u",
    "sftp_password": "S3CR3T", "sftp_folder": "/ind",
}  # fmt: skip


def values(**changes):
    found, errors = parse_all(VansTransport.fields, {**FORM, **changes})
    assert errors == {}
    return found


def test_every_field_of_a_carrier_is_there_with_all_that_it_declares():
    ours = {field.name: field for field in VansTransport.fields}
    for kind in carriers.KINDS:
        for theirs in registry()[kind].fields:
            if theirs.name == carriers.FILENAME:
                continue
            mine = ours[f"{kind}_{theirs.name}"]
            same = (
                "label",
                "type",
                "required",
                "secret",
                "help",
                "choices",
                "pattern",
                "default",
                "is_address",
                "is_kept_here",
            )
            assert [getattr(mine, name) for name in same] == [getattr(theirs, name) for name in same]


def test_names_are_unique():
    names = [field.name for field in VansTransport.fields]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", carriers.KINDS)
def test_only_the_chosen_carriers_fields_count(kind):
    shown = counting(
        VansTransport.fields, {**{field.name: field.default for field in VansTransport.fields}, "carrier": kind}
    )
    others = tuple(f"{other}_" for other in carriers.KINDS if other != kind)
    assert not [name for name in shown if name.startswith(others)]
    assert [name for name in shown if name.startswith(f"{kind}_")]


def test_a_form_needs_the_chosen_carriers_fields_only():
    assert values()["sftp_host"] == "vans.example"
    _, errors = parse_all(VansTransport.fields, {**FORM, "carrier": "ftp"})
    assert {"ftp_host", "ftp_username"} <= set(errors)
    assert not [name for name in errors if not name.startswith("ftp_")]


def test_the_carrier_gets_its_own_names(vans):
    transport = vans(as2_url="https://other.example")
    assert carriers.config_of(transport.config, "x")["host"] == "vans.example"
    assert "url" not in carriers.config_of(transport.config, "x")


def test_a_carrier_that_is_not_known_is_the_first():
    assert carriers.kind_of({"carrier": "pigeon"}) == carriers.kind_of({}) == "sftp"


def test_the_carriers_problems_stand_at_their_fields():
    assert set(VansTransport.problems(values(), set())) == {"sftp_password", "sftp_private_key"}
    assert VansTransport.problems(values(), {"sftp_password"}) == {}
    assert set(VansTransport.problems(values(), {"ftp_password"})) == {"sftp_password", "sftp_private_key"}


def test_the_carriers_warnings_lead_to_their_fields():
    assert {found.fix for found in VansTransport.findings(values())} == {"gateway.sftp_host_key"}
    assert {found.fix for found in VansTransport.findings(values(filename="{number}"))} == {
        "gateway.sftp_host_key", "gateway.filename",
    }  # fmt: skip


def test_ends_stand_at_their_fields(monkeypatch):
    ends = datetime(2027, 1, 1, tzinfo=UTC)
    seen = []

    def expiries(config):
        seen.append(config)
        return [Expiry("password", Text("Login", "Login"), ends)]

    monkeypatch.setattr(SftpTransport, "expiries", expiries)
    assert VansTransport.expiries(values()) == [Expiry("sftp_password", Text("Login", "Login"), ends)]
    assert seen[0]["username"] == "u"


def test_pairs_name_fields_that_exist():
    names = {field.name for field in VansTransport.fields}
    assert VansTransport.key_pairs
    for pair in VansTransport.key_pairs:
        assert {pair.certificate, pair.key} <= names
        assert {pair.next_certificate, pair.next_key, pair.switch_on} - {None} <= names
    [partner] = VansTransport.partner_certificates
    assert {partner.certificate, partner.next_certificate, partner.switch_on} <= names


@pytest.mark.parametrize(
    "template", ["{mailbox}", "x", "{number}{secret}", "{mailbox}/{number}", "{number", "../{number}"]
)
def test_a_file_name_that_cannot_be_used_is_told(template):
    assert "filename" in VansTransport.problems(values(filename=template), {"sftp_password"})


@pytest.mark.parametrize("template", ["{mailbox}.{partner}.{number}", "{key8}", "", "INVOIC_{partner}_{date}_{key8}"])
def test_a_file_name_may_name_the_mailboxes(template):
    assert VansTransport.problems(values(filename=template), {"sftp_password"}) == {}


def test_an_answer_that_is_expected_must_be_collected():
    assert "inbox" in VansTransport.problems(values(expects="contrl"), {"sftp_password"})
    assert VansTransport.problems(values(expects="contrl", inbox="/ud"), {"sftp_password"}) == {}


@pytest.mark.parametrize("inbox", ["ud", "\\ud", "ud/"])
def test_the_folder_with_answers_is_a_whole_path(inbox):
    _, errors = parse_all(VansTransport.fields, {**FORM, "inbox": inbox})
    assert set(errors) == {"inbox"}


def test_over_as2_no_answers_are_collected():
    found, _ = parse_all(VansTransport.fields, {**FORM, "carrier": "as2", "expects": "contrl", "inbox": "/ud"})
    assert (found["expects"], found["inbox"]) == ("none", None)
