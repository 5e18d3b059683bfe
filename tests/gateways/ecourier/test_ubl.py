"""What names a document: two files are the same one exactly where all of it is equal."""

from __future__ import annotations

import pytest

from invoiceapp.gateways.ecourier.ubl import Identity, identity


def test_number_date_uuid_and_parties_name_a_document(ubl):
    assert identity(ubl(uuid="6D25B2C1-A7CF-4D10-A835-AD19863F67FF")) == Identity(
        "Invoice",
        "2026-17",
        "6d25b2c1-a7cf-4d10-a835-ad19863f67ff",
        "2026-11-02",
        ("0184:12345674", "0088:5798000000001"),
    )


def test_white_space_and_prefixes_change_nothing(ubl):
    assert identity(ubl().replace(b"cbc:", b"b:").replace(b":cbc=", b":b=").replace(b"\n", b" ")) == identity(ubl())


@pytest.mark.parametrize(
    "change",
    [
        {"root": "CreditNote"}, {"number": "2026-18"}, {"issued": "2025-11-02"}, {"seller": "87654321"},
        {"buyer": "5798000000018"}, {"uuid": "6d25b2c1-a7cf-4d10-a835-ad19863f67ff"},
    ],
)  # fmt: skip
def test_whatever_differs_makes_another_document(ubl, change):
    assert identity(ubl(**change)) != identity(ubl())


@pytest.mark.parametrize(
    "content",
    [
        b"", b"%PDF-1.7", b"<Invoice/>", b"<Invoice><InvoiceLine><ID>1</ID></InvoiceLine></Invoice>", b"<Invoice><ID> </ID></Invoice>",
        b'<!DOCTYPE Invoice [<!ENTITY x "2026-17">]><Invoice><ID>&x;</ID></Invoice>',
    ],
)  # fmt: skip
def test_what_names_nothing_has_no_identity(content):
    assert identity(content) is None
