"""What the page says of an archived e-invoice comes from the very bytes that are sent."""

from __future__ import annotations

import re

import pytest

from invoiceapp.domain.settings import settings_from
from invoiceapp.formats.base import registry
from invoiceapp.models import Rendition
from invoiceapp.services.export import archive, contents
from invoiceapp.services.export.markup import Words
from invoiceapp.sources.billy.mapping import convert

TEXT_FORMATS = [item.id for item in registry().values() if not item.draws]


@pytest.fixture
def rendition(app, company):
    """``rendition(format, content=None)``: archived bytes of a demo document, or those given."""

    def make(format_id: str, content: bytes | None = None) -> Rendition:
        if content is None:
            bundle = company.bundle(company.hard_cases["mixed_rates"])
            invoice = convert(bundle, settings_from({"supplier": {"gln": "5798990000005"}})).invoice
            content = registry()[format_id].write(invoice)
        return Rendition(id="R", format=format_id, sha256=archive.store(content), findings=[])

    return make


@pytest.mark.parametrize("format_id", TEXT_FORMATS)
def test_every_text_format_is_shown_and_most_are_read_back(rendition, format_id):
    found = contents.of(rendition(format_id))
    assert found.shown is not None
    assert "1040" in found.shown.html
    if registry()[format_id].reader:
        assert found.invoice.number == "1040"
        assert str(found.invoice.totals.payable) == "5946.25"


def test_a_segment_stands_on_a_line_of_its_own(rendition):
    html = str(contents.of(rendition("edifact-d96a"), words=Words(language="da")).shown.html)
    lines = re.findall(r"<div class=\"segment\"><code>(.*?)</code><span class=\"meaning\">(.*?)</span>", html)
    assert [re.sub("<[^>]+>", "", line)[:3] for line, _meaning in lines[:4]] == ["UNA", "UNB", "UNH", "BGM"]
    assert lines[3][1] == "Faktura"
    assert all(meaning for _line, meaning in lines), "every segment that we write is told in words"


@pytest.mark.parametrize(
    ("format_id", "location"),
    [
        ("edifact-d96a", "BG-25[2]"),
        ("edifact-d96a", "BGM[3]"),
        ("peppol-bis-3", "BG-25[2]"),
        ("oioubl-2.1", "BG-25[2]"),
        ("cii", "BG-25[2]"),
    ],
)
def test_the_place_of_a_finding_is_found_in_every_family(rendition, format_id, location):
    assert contents.of(rendition(format_id), [None, location]).shown.placed == {1}


@pytest.mark.parametrize("content", [b"", b"junk", b"<a>", b"\xff\xfe\x00", b"%PDF-1.7"])
@pytest.mark.parametrize("format_id", sorted(registry()))
def test_bytes_that_are_no_document_are_shown_or_not_but_break_nothing(rendition, format_id, content):
    assert contents.of(rendition(format_id, content)).invoice is None


def test_a_format_that_this_installation_does_not_have_any_more_says_nothing(rendition):
    row = rendition("csv")
    row.format = "gone"
    assert contents.of(row) == contents.NOTHING
