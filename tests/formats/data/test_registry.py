"""The registry finds the formats of both packages, with what the rest of the product asks of them."""

from __future__ import annotations

import pytest

from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import registry as formats


@pytest.mark.parametrize(
    ("format_id", "extension", "media_type", "draws", "reads"),
    [
        ("cii", "xml", "application/xml", False, True),
        ("facturx", "pdf", "application/pdf", True, True),
        ("json", "json", "application/json", False, True),
        ("csv", "csv", "text/csv", False, False),
    ],
)
def test_a_format_is_registered(format_id, extension, media_type, draws, reads):
    found = formats()[format_id]
    assert (found.extension, found.media_type, found.draws) == (extension, media_type, draws)
    assert (found.reader is not None) is reads
    assert found.label.da
    assert found.label.en


@pytest.mark.parametrize("format_id", ["cii", "facturx"])
def test_cii_is_judged_by_the_official_rules(format_id):
    schemas = formats()[format_id].schemas
    assert set(schemas) == set(DocumentType)
    assert {(schema.xsd, schema.rules) for schema in schemas.values()} == {("cii", ("facturx-en16931",))}


@pytest.mark.parametrize("format_id", ["cii", "facturx", "json", "csv"])
def test_a_good_invoice_passes_and_a_nameless_one_does_not(invoice, format_id):
    import dataclasses

    found = formats()[format_id]
    assert [finding for finding in found.check(invoice) if finding.is_fatal] == []
    nameless = dataclasses.replace(invoice, buyer=dataclasses.replace(invoice.buyer, name=""))
    assert any(finding.is_fatal for finding in found.check(nameless))
