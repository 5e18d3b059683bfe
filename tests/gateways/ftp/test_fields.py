"""The form, and what the settings alone decide."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import parse_all
from invoiceapp.gateways.base import registry
from invoiceapp.gateways.ftp import TRANSPORT, FtpTransport, transport
from invoiceapp.gateways.ftp.fields import host_of, port_of

FORM = {"host": "ftp.firma.dk", "username": "u", "password": "p"}
ROOT = "no certificate"


def test_the_registry_finds_it():
    assert registry()["ftp"] is TRANSPORT is FtpTransport


def test_its_form_gives_the_defaults():
    values, errors = parse_all(FtpTransport.fields, FORM)
    assert errors == {}
    assert values == {
        **FORM, "security": "explicit", "port": None, "ca_certificate": None, "connections": 2, "folder": ".",
        "filename": "{type}_{number}_{key8}", "existing": "fail", "consumes": False, "done_marker": False, "with_pdf": False,
    }  # fmt: skip


@pytest.mark.parametrize("missing", FORM)
def test_server_and_login_are_required(missing):
    _, errors = parse_all(FtpTransport.fields, FORM | {missing: ""})
    assert set(errors) == {missing}


@pytest.mark.parametrize("value", ["ftps", "EXPLICIT", "ssl"])
def test_an_unknown_encryption_is_refused_by_the_form(value):
    _, errors = parse_all(FtpTransport.fields, FORM | {"security": value})
    assert set(errors) == {"security"}


def test_a_folder_on_two_lines_would_be_two_commands():
    _, errors = parse_all(FtpTransport.fields, FORM | {"folder": "in\r\nDELE x"})
    assert set(errors) == {"folder"}


def test_only_the_password_is_secret_and_goes_where_the_server_does():
    assert {field.name for field in FtpTransport.fields if field.secret} == {"password"}
    assert {field.name for field in FtpTransport.fields if field.is_address} == {"host"}


def test_fields_of_a_group_stand_together():
    groups = [field.group for field in FtpTransport.fields]
    assert None not in groups
    assert len([1 for before, after in pairwise(groups) if before != after]) == len(set(groups)) - 1


@pytest.mark.parametrize(
    ("config", "port"), [({}, 21), ({"security": "none"}, 21), ({"security": "implicit"}, 990), ({"port": 2121}, 2121)]
)
def test_the_port_follows_the_encryption(config, port):
    assert port_of(config) == port
    assert {21, 990} == FtpTransport.PORTS


def test_brackets_around_an_address_are_no_part_of_it():
    assert host_of({"host": "[2001:db8::1]"}) == "2001:db8::1"


@pytest.mark.parametrize(("consumes", "replay"), [(False, Replay.SAFE), (True, Replay.UNSAFE)])
def test_replay_is_safe_unless_the_receiver_takes_files_away(consumes, replay):
    assert FtpTransport({"consumes": consumes}).replay is replay


def test_the_wire_id_is_the_file_name_and_stays_the_same(consignment):
    ids = [FtpTransport({"folder": "/in"}).wire_ids(consignment()) for _ in range(2)]
    assert ids == [{"filename": "invoice_2026-17_mfrggzdf.xml"}] * 2


def test_no_encryption_and_names_that_may_collide_are_warned_of():
    assert FtpTransport.findings({}) == []
    found = FtpTransport.findings({"security": "none", "filename": "{number}"})
    assert [finding.rule for finding in found] == ["IA-FTP-PLAIN", "IA-FILENAME-SHARED"]
    assert not any(finding.is_fatal for finding in found)


def test_a_root_certificate_that_is_none_is_a_problem():
    assert FtpTransport.problems({}, ["password"]) == {}
    assert set(FtpTransport.problems({"ca_certificate": ROOT}, ["password"])) == {"ca_certificate"}


def test_the_help_lies_in_the_folder():
    folder = Path(transport.__file__).parent
    assert all((folder / f"help.{language}.md").read_text(encoding="utf-8") for language in ("da", "en"))
