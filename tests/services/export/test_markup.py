"""XML as people read it."""

from __future__ import annotations

import re

import pytest

from invoiceapp.services.export import markup

XML = (
    b'<Invoice xmlns="urn:inv" xmlns:cbc="urn:cbc"><cbc:ID>1</cbc:ID><cbc:Note a="1">&lt;script&gt;</cbc:Note>'
    b"<Line><cbc:ID>2</cbc:ID></Line></Invoice>"
)


@pytest.mark.parametrize(
    "location",
    [
        "/*:Invoice[namespace-uri()='urn:inv'][1]/*:Note[namespace-uri()='urn:cbc'][1]",
        "/Q{urn:inv}Invoice[1]/Q{urn:cbc}Note[1]",
        "/*/*[2]",
        "//cbc:Note/@a",
        "/*/cbc:Note",
    ],
)
def test_the_line_of_a_finding_is_marked_however_the_rule_engine_writes_its_place(location: str) -> None:
    marked = re.findall(r'<span class="hll">(.*)\n', str(markup.as_html(XML, [location]).html))
    assert len(marked) == 1
    assert "cbc:Note" in re.sub(r"<[^>]+>", "", marked[0])


@pytest.mark.parametrize("location", ["", "BG-25[1]", "/nowhere", "///", "count(//*)", "'text'", "/u:x"])
def test_a_place_that_leads_nowhere_marks_nothing(location: str) -> None:
    assert "hll" not in str(markup.as_html(XML, [location]).html)


def test_text_is_escaped_and_lines_are_indented() -> None:
    html = str(markup.as_html(XML).html)
    assert "<script>" not in html
    assert "&amp;lt;</span>script" in html
    assert len(html.splitlines()) == 8


def test_a_long_attachment_is_cut() -> None:
    html = str(markup.as_html(b"<a><b>" + b"QUJD" * 3000 + b"</b></a>").html)
    assert len(html) < 1000
    assert "(12000)" in html


def test_what_is_no_xml_is_not_shown() -> None:
    assert markup.as_html(b"UNB+UNOC:3'") is None


def test_entities_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    assert markup.as_html(bomb) is None


def long_document(lines: int) -> bytes:
    return b"<a>" + b"".join(b"<b>%d</b>" % number for number in range(lines)) + b"</a>"


def test_a_document_of_thousands_of_lines_is_shown_in_part_with_the_places_of_findings() -> None:
    shown = markup.as_html(long_document(20_000), ["/a/b[15000]"])
    assert shown.is_cut
    assert len(shown.html) < 300_000
    text = re.sub(r"<[^>]+>", "", str(shown.html))
    assert "14999" in text and "⋮" in text and "12000" not in text
    assert len(re.findall(r'class="hll"', str(shown.html))) == 1


def test_a_short_document_is_shown_whole() -> None:
    shown = markup.as_html(long_document(100))
    assert not shown.is_cut
    assert "⋮" not in shown.html


def test_lines_of_other_formats_are_escaped_and_cut() -> None:
    shown = markup.as_lines("FTX+<b>'\n" + "LIN+1'\n" * 5_000)
    assert shown.is_cut
    assert "&lt;b&gt;" in shown.html
    assert shown.html.count("LIN") < 1_001
