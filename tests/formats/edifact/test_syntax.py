from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoiceapp.formats.base import Unreadable
from invoiceapp.formats.edifact import syntax
from invoiceapp.formats.edifact.charset import SETS, clean, pieces
from invoiceapp.formats.edifact.syntax import Segment, parse, readable, segment, serialize

HEAD = b"UNB+UNOC:3+1+2'"


def written(*segments: Segment, identifier: str = "UNOC") -> str:
    return serialize(segments, identifier=identifier, una=False).decode("latin-1")


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (segment("UNS", "S"), "UNS+S'"),
        (segment("TAX", "7", "VAT", "", "", ("", "", "", "25"), "S"), "TAX+7+VAT+++:::25+S'"),
        (segment("NAD", "SU", ("5790000000012", "", "9"), "", "", ""), "NAD+SU+5790000000012::9'"),
        (segment("LIN", "1", "", ""), "LIN+1'"),
        (segment("FTX", "AAI", "", "", ("a+b:c'd?e", "", "")), "FTX+AAI+++a?+b?:c?'d??e'"),
    ],
)
def test_empty_ends_are_dropped_and_service_characters_released(item, text):
    assert written(item) == text


def test_una_and_line_ends_are_written_where_they_are_wanted():
    parts = [segment("UNB", ("UNOC", "3")), segment("UNZ", "1", "1")]
    assert serialize(parts, identifier="UNOC") == b"UNA:+.? 'UNB+UNOC:3'UNZ+1+1'"
    assert serialize(parts, identifier="UNOC", una=False, line_end="\r\n") == b"UNB+UNOC:3'\r\nUNZ+1+1'\r\n"
    assert serialize(parts, identifier="UNOC", line_end="\n") == b"UNA:+.? '\nUNB+UNOC:3'\nUNZ+1+1'\n"


@pytest.mark.parametrize(
    ("identifier", "text", "expected"),
    [
        ("UNOC", "Rødgrød – “ja” … 5 €", 'Rødgrød - "ja" ... 5 EUR'),
        ("UNOC", "a\u0301 e\u0308 Łódź č", "á ë Lódz c"),
        ("UNOC", "to\nlinjer\tog\x00 \x07kontrol\x85tegn\ud800", "to linjer og kontrol tegn"),
        ("UNOC", "🎉 Kage 🍰", "Kage"),
        ("UNOC", "Ελλάδα", ""),
        ("UNOC", "½ \u00a0 l\u00adang", "½ lang"),
        ("UNOB", "Rødgrød på Åen, ½ ß", "Roedgroed paa AAen, 1/2 ss"),
        ("UNOB", "ida@firma_a.dk #1", "ida(at)firma-a.dk 1"),
        ("UNOA", "Æble & Größe", "AEBLE & GROSSE"),
        ("UNOA", "", ""),
    ],
)
def test_text_is_brought_into_the_character_set(identifier, text, expected):
    assert clean(text, identifier) == expected


@given(st.text(max_size=60), st.sampled_from(sorted(SETS)))
def test_clean_text_is_in_its_set_and_stays_as_it_is(text, identifier):
    once = clean(text, identifier)
    assert SETS[identifier].issuperset(once)
    assert clean(once, identifier) == once


@pytest.mark.parametrize(
    ("text", "width", "most", "expected"),
    [
        ("et to tre", 5, 9, ["et to", "tre"]),
        ("abcdefghij kl", 4, 9, ["abcd", "efgh", "ij", "kl"]),
        ("et to tre fire", 5, 2, ["et to", "tre"]),
        ("", 5, 2, []),
        ("abcde", 5, 1, ["abcde"]),
    ],
)
def test_text_is_cut_between_words(text, width, most, expected):
    assert pieces(text, width, most) == expected


@given(st.text("ab ", max_size=80), st.integers(1, 12))
def test_pieces_hold_all_letters_and_no_more_than_their_width(text, width):
    found = pieces(text, width, 1000)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert all(0 < len(piece) <= width for piece in found)


def test_a_written_interchange_is_parsed_as_it_was():
    parts = [
        segment("UNB", ("UNOC", "3"), "a'b"),
        segment("FTX", "AAI", "", "", ("x+y?", "", "æ:ø")),
        segment("UNZ", "1"),
    ]
    assert [(item.tag, item.elements) for item in parse(serialize(parts, identifier="UNOC", line_end="\r\n"))] == [
        (item.tag, item.elements) for item in parts
    ]


def test_places_are_counted_and_missing_components_are_empty():
    found = parse(HEAD + b"\r\n\nBGM+380+1'\n")
    assert [(item.tag, item.position) for item in found] == [("UNB", 1), ("BGM", 2)]
    assert (found[1].get(0), found[1].get(1), found[1].get(7), found[1].get(1, 3), found[1].all(9)) == (
        "380",
        "1",
        "",
        "",
        (),
    )


def test_the_partners_own_service_characters_are_honoured():
    content = b"UNA|*,! ~UNB*UNOC|3~FTX*AAI***et!*to!~tre!!|x:y+z'~"
    assert parse(content)[1].elements == (("AAI",), (), (), ("et*to~tre!", "x:y+z'"))


def test_a_partner_may_have_no_release_character():
    assert parse(b"UNA:+.  'UNB+UNOC:3'FTX+AAI+hvad?'")[1].elements == (("AAI",), ("hvad?",))


@pytest.mark.parametrize(
    ("syntax_identifier", "value", "read"),
    [(b"UNOC", b"\xe6", "æ"), (b"UNOY", "æ".encode(), "æ"), (b"UNOD", b"\xb3", "ł"), (b"UNOX", b"\xe6", "æ")],
)
def test_the_character_set_that_the_file_names_is_used(syntax_identifier, value, read):
    assert parse(b"UNB+" + syntax_identifier + b":3+" + value + b"'")[0].get(1) == read


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "UNB"),
        (b"<Invoice/>", "terminator"),
        (b"UNA:+", "UNA"),
        (b"UNA++.? 'UNB'", "UNA"),
        (b"UNA:A.? 'UNB'", "UNA"),
        (b"BGM+380'", "UNB"),
        (HEAD + b"BGM+380", "terminator"),
        (HEAD + b"BGM+380?'", "terminator"),
        (HEAD + b"bgm+380'", "Segment 2"),
        (HEAD + b"'", "Segment 2"),
        (HEAD + b"FTX" + b"+" * 200 + b"'", "Segment 2"),
        (b"UNB+UNOY:3+\xff'", "utf-8"),
    ],
)
def test_what_is_no_edifact_is_refused_in_words(content, said):
    with pytest.raises(Unreadable) as refused:
        parse(content)
    assert said in refused.value.text.en
    assert refused.value.text.da != refused.value.text.en


def test_a_file_that_would_take_the_memory_is_refused(monkeypatch):
    with pytest.raises(Unreadable, match="too large"):
        parse(HEAD + b"A" * syntax.LARGEST_INTERCHANGE)
    monkeypatch.setattr(syntax, "MOST_SEGMENTS", 3)
    assert len(parse(HEAD + b"AAA'AAA'")) == 3
    with pytest.raises(Unreadable, match="too many segments"):
        parse(HEAD + b"AAA'AAA'AAA'")


def test_people_read_one_segment_a_line():
    assert readable(b"UNA:+.? 'UNB+UNOC:3'\r\nFTX+AAI+++Tak ?'ja?' \xe6'UNZ+1'") == (
        "UNA:+.? '\nUNB+UNOC:3'\nFTX+AAI+++Tak ?'ja?' æ'\nUNZ+1'"
    )
    assert readable(b"UNB+UNOC:3'UNZ+1'") == "UNB+UNOC:3'\nUNZ+1'"
