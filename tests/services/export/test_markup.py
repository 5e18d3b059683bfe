"""Documents as people read them."""

from __future__ import annotations

import re

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import ReadableLine
from invoiceapp.services.export import markup
from invoiceapp.services.export.markup import Words

XML = (
    b'<Invoice xmlns="urn:inv" xmlns:cbc="urn:cbc"><cbc:ID>1</cbc:ID><cbc:Note a="1">&lt;script&gt;</cbc:Note>'
    b"<Line><cbc:ID>2</cbc:ID></Line></Invoice>"
)


def plain(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def marked(html: str) -> list[str]:
    return re.findall(r'<div class="hll">(.*?)</div>', html)


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
    shown = markup.as_html(XML, [location])
    (line,) = marked(str(shown.html))
    assert "cbc:Note" in plain(line)
    assert shown.placed == {0}


@pytest.mark.parametrize("location", ["", "BG-25[1]", "/nowhere", "///", "count(//*)", "'text'", "/u:x", None])
def test_a_place_that_leads_nowhere_marks_nothing_and_says_so(location: str | None) -> None:
    shown = markup.as_html(XML, [location])
    assert "hll" not in str(shown.html)
    assert shown.placed == frozenset()


def test_a_place_and_its_finding_lead_to_each_other_by_number() -> None:
    html = str(markup.as_html(XML, ["/nowhere", "/*/cbc:Note", "/*/cbc:Note"], words=Words(finding="Fejl %s")).html)
    assert '<a class="place" id="place-2" href="#finding-2">Fejl 2</a>' in html
    assert 'id="place-3"' in html and 'id="place-1"' not in html


@pytest.mark.parametrize("tag", ["InvoiceLine", "CreditNoteLine"])
def test_a_line_of_the_invoice_is_found_by_its_number(tag: str) -> None:
    lines = "".join(f"<{tag}><ID>{number}</ID></{tag}>" for number in range(1, 9))
    shown = markup.as_html(f"<Invoice>{lines}</Invoice>".encode(), ["BG-25[7] (+1)"])
    assert shown.placed == {0}
    after = str(shown.html).split('id="place-1"')[1]
    assert plain(after[after.index("<details") :]).startswith(f"&lt;{tag}&gt; … 1&lt;ID&gt;7")


def test_text_and_attributes_are_escaped() -> None:
    html = str(markup.as_html(b'<a b="&lt;x&gt;&quot;">&lt;script&gt;</a>').html)
    assert "<script>" not in html and "<x>" not in html
    assert "&lt;script&gt;" in plain(html) and "&lt;x&gt;" in plain(html)


def test_what_is_shown_is_the_document_with_its_own_prefixes() -> None:
    assert plain(str(markup.as_html(XML).html)) == (
        '&lt;Invoice xmlns="urn:inv" xmlns:cbc="urn:cbc"&gt; … 4&lt;cbc:ID&gt;1&lt;/cbc:ID&gt;'
        '&lt;cbc:Note a="1"&gt;&lt;script&gt;&lt;/cbc:Note&gt;&lt;Line&gt; … 1&lt;cbc:ID&gt;2&lt;/cbc:ID&gt;'
        "&lt;/Line&gt;&lt;/Invoice&gt;"
    )


def test_groups_fold_and_those_with_a_finding_are_open() -> None:
    deep = b"<a><b><c><d><e>1</e></d></c></b></a>"
    assert str(markup.as_html(deep).html).count("<details open>") == 3
    assert str(markup.as_html(deep, ["//e"]).html).count("<details open>") == 4


def test_of_many_groups_beside_each_other_each_is_folded() -> None:
    html = str(markup.as_html(b"<a>" + b"<b><c>1</c></b>" * 9 + b"</a>").html)
    assert (html.count("<details open>"), html.count("<details>")) == (1, 9)


def test_an_attachment_is_shown_by_its_size() -> None:
    html = str(markup.as_html(b"<a><b>" + b"QUJD" * 30_000 + b"</b></a>").html)
    assert len(html) < 1000
    assert "… 120 kB" in html


def test_what_is_no_xml_is_not_shown() -> None:
    assert markup.as_html(b"UNB+UNOC:3'") is None


@pytest.mark.parametrize("content", [
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', b'<!DOCTYPE a><a/>',
])  # fmt: skip
def test_a_document_with_a_dtd_is_not_shown(content: bytes) -> None:
    assert markup.as_html(content) is None


def test_comments_and_instructions_are_shown_and_break_nothing() -> None:
    html = str(markup.as_html(b"<a><!-- <b> --><?do it?><c>1</c>tail</a>").html)
    assert "&lt;!-- &lt;b&gt; --&gt;" in html and "&lt;?do it?&gt;" in html and "tail" in html


def long_document(lines: int) -> bytes:
    return b"<a>" + b"".join(b"<b><c>%d</c></b>" % number for number in range(lines)) + b"</a>"


def test_a_document_of_thousands_of_lines_is_shown_in_part_with_the_places_of_findings() -> None:
    shown = markup.as_html(long_document(20_000), ["/a/b[15000]"], words=Words(left_out="%s til"))
    assert shown.is_cut and shown.placed == {0}
    assert len(shown.html) < 200_000
    text = plain(str(shown.html))
    assert "14999" in text and "12000" not in text
    assert "⋮ 14699 til" in text and "⋮ 5000 til" in text


def test_all_of_it_is_shown_where_a_person_asks_for_it() -> None:
    shown = markup.as_html(long_document(5_000), whole=True)
    assert not shown.is_cut
    assert "⋮" not in shown.html and ">4999<" in shown.html


def test_a_short_document_is_shown_whole() -> None:
    assert not markup.as_html(long_document(100)).is_cut


def test_lines_of_other_formats_are_escaped_and_cut() -> None:
    text = "FTX+<b>'\n" + "LIN+1'\n" * 5_000
    shown = markup.as_lines(text)
    assert shown.is_cut
    assert "&lt;b&gt;" in shown.html
    assert shown.html.count("LIN") < markup.MOST_LINES
    assert not markup.as_lines(text, whole=True).is_cut


SEGMENTS = [ReadableLine("UNA:+.? '")] + [
    ReadableLine(f"LIN+{number}'", Text(f"Linje {number}", f"Line {number}"), (f"LIN[{number}]", f"BG-25[{number}]"))
    for number in range(1, 3_000)
]


def test_segments_carry_their_meaning_and_the_marks_of_findings() -> None:
    shown = markup.as_segments(SEGMENTS[:9], ["LIN[3]", "BG-25[4]", "LIN[99]", None], words=Words(language="da"))
    assert shown.placed == {0, 1} and not shown.is_cut
    lines = re.findall(r'<div class="segment[^"]*">.*?</div>', str(shown.html))
    assert "Linje 3" in lines[3] and 'id="place-1"' in lines[3] and "hll" in lines[3]
    assert 'id="place-2"' in lines[4] and "hll" not in lines[5]


def test_a_long_interchange_is_cut_but_for_the_places_of_findings() -> None:
    shown = markup.as_segments(SEGMENTS, ["LIN[2000]"])
    assert shown.is_cut and shown.placed == {0}
    text = plain(str(shown.html))
    assert "LIN+2000" in text and "LIN+1500" not in text
    assert not markup.as_segments(SEGMENTS, whole=True).is_cut
