"""Paths and the hash, without a server."""

from __future__ import annotations

import hashlib

import pytest

from invoiceapp.domain.fields import parse_all
from invoiceapp.domain.file_names import FileName
from invoiceapp.gateways.base import Payload
from invoiceapp.gateways.dropbox import DropboxTransport
from invoiceapp.gateways.dropbox.paths import content_hash, files, fixed_folder, folder

VALUES = FileName(values={"date": "2026-11-02", "customer": "Kunde Ærø A/S"})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (None, "/"),
        ("/", "/"),
        ("Fakturaer", "/Fakturaer"),
        ("/Fakturaer/{year}/{month}/", "/Fakturaer/2026/11"),
        ("{customer}/{type}", "/Kunde-AEroe-A-S/invoice"),
        ("/Æbler og pærer/{year}-{month}", "/Æbler og pærer/2026-11"),
        ("//a// b /./..", "/a/b"),
    ],
)
def test_the_folder_is_filled_in(consignment, template, expected):
    assert folder(consignment(file_name=VALUES), {"folder": template}) == expected


@pytest.mark.parametrize("name", ["../../etc", "..", "/", "\\\\host\\share", "a\r\nb: c", "{year}"])
def test_a_customers_name_leads_nowhere_else(consignment, name):
    found = folder(consignment(file_name=FileName(values={"customer": name})), {"folder": "/in/{customer}/x"})
    assert found.startswith("/in/") and found.endswith("/x")
    assert ".." not in found and found.count("/") == 3 and "\\" not in found and "\n" not in found and "{" not in found


def test_what_has_no_value_leaves_no_empty_folder(consignment):
    assert folder(consignment(receiver_name=""), {"folder": "/a/{year}/{customer}/b"}) == "/a/b"


def test_the_receivers_name_stands_in_for_the_customer(consignment):
    assert folder(consignment(), {"folder": "{customer}"}) == "/Kunde-A-S"


@pytest.mark.parametrize(
    "template",
    [
        "../x",
        "a/../b",
        "a/..",
        "..",
        "./a",
        "a/ .. /b",
        "a\\b",
        "{number}",
        "{year.real}",
        "a{",
        "a}b",
        "a:b",
        "a?",
        "x" * 201,
    ],
)
def test_the_form_refuses_a_folder_that_leads_upwards_or_knows_other_tokens(template):
    _, errors = parse_all(DropboxTransport.fields, {"app_key": "k", "folder": template})
    assert set(errors) == {"folder"}


@pytest.mark.parametrize("template", ["/", "a", "/Fakturaer/{year}/{customer}", "/a.b/..c", "Æbler og pærer/{type}"])
def test_the_form_takes_folders(template):
    values, errors = parse_all(DropboxTransport.fields, {"app_key": "k", "folder": template})
    assert (values["folder"], errors) == (template, {})


def test_the_fixed_part_of_the_folder_ends_where_documents_differ():
    found = [fixed_folder({"folder": text}) for text in ("/a/b{year}/c", "/a/b/", "{year}", "", None, "/a/{type}")]
    assert found == ["/a", "/a/b", "/", "/", "/", "/a"]


def test_a_path_comes_from_the_consignment_alone(consignment):
    config = {"folder": "/in/{year}", "with_pdf": True}
    found = [[file.path for file in files(consignment(file_name=VALUES), config)] for _ in range(2)]
    name = "/in/2026/invoice_2026-17_mfrggzdf"
    assert found == [[f"{name}.xml", f"{name}.pdf"]] * 2


def test_a_customers_own_file_name_comes_before_the_gateways(consignment):
    own = FileName("eget-{number}", {})
    assert files(consignment(file_name=own), {"filename": "{key8}"})[0].path == "/eget-2026-17.xml"


def test_the_wire_ids_stay_the_same_and_name_no_folder(consignment):
    ids = [DropboxTransport({"folder": "/in"}).wire_ids(consignment()) for _ in range(2)]
    assert ids[0] == ids[1]
    assert ids[0] == {
        "filename": "invoice_2026-17_mfrggzdf.xml", "content_hash": content_hash(consignment().payload.content)
    }  # fmt: skip


def test_the_hash_is_that_of_the_hashes_of_blocks_of_4_mib():
    block = 4 * 1024 * 1024
    long = Payload(b"a" * block + b"b", "x", "y").content
    parts = hashlib.sha256(b"a" * block).digest() + hashlib.sha256(b"b").digest()
    assert content_hash(long) == hashlib.sha256(parts).hexdigest()
    assert content_hash(b"abc") == hashlib.sha256(hashlib.sha256(b"abc").digest()).hexdigest()
    assert content_hash(b"") == hashlib.sha256(b"").hexdigest()
