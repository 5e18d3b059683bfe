from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import OURS, THEIRS, invoic

from invoiceapp.formats.edifact.syntax import segment, serialize
from invoiceapp.gateways.vans.envelope import Envelope, envelope_of


def test_sender_receiver_and_number_are_read():
    assert envelope_of(invoic("1017")) == Envelope(OURS, THEIRS, "1017")


def test_other_service_characters_line_ends_and_no_una_are_understood():
    assert envelope_of(b"UNA;*.! ~\r\nUNB*UNOC;3*A;14*B;14*261102;1015*9~") == Envelope("A", "B", "9")
    assert envelope_of(b"\nUNB+UNOC:3+A+B+261102:1015+9'") == Envelope("A", "B", "9")


@pytest.mark.parametrize("content", [b"", b"<Invoice/>", b"%PDF-1.7", b"\xef\xbb\xbf<?xml version='1.0'?>"])
def test_what_is_no_edifact_has_no_envelope(content):
    assert envelope_of(content) is None


@pytest.mark.parametrize("content", [b"UNA", b"UNA:+.? '", b"UNA:+.? 'BGM+380'", b"UNB", b"UNBX+1'"])
def test_an_envelope_that_cannot_be_read_names_nobody(content):
    assert envelope_of(content) == Envelope()


_NAME = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=35)


@given(_NAME, _NAME)
def test_what_the_writer_releases_is_read_back(sender, receiver):
    content = serialize(
        [segment("UNB", ("UNOC", "3"), (sender, "14"), (receiver, "14"), ("261102", "1015"), "7")], identifier="UNOC"
    )
    assert envelope_of(content) == Envelope(sender, receiver, "7")
