from __future__ import annotations

import pytest

from invoiceapp.blueprints.plaintext import Block, Span, blocks, title
from invoiceapp.services.configuration import gateways, sources


def test_headings_lists_and_paragraphs_are_told_apart() -> None:
    text = "# Title\n\nFirst **bold**\nline.\n\n## Part\n\n- one `code`\n- two\n"
    assert title(text) == "Title"
    assert list(blocks(text)) == [
        Block("paragraph", [[Span("First "), Span("bold", "strong"), Span(" line.")]]),
        Block("heading", [[Span("Part")]]),
        Block("list", [[Span("one "), Span("code", "code")], [Span("two")]]),
    ]


def test_numbered_lines_are_steps() -> None:
    assert list(blocks("1. one\n2. **two**\n")) == [Block("steps", [[Span("one")], [Span("two", "strong")]])]


def test_a_number_inside_a_paragraph_is_no_step() -> None:
    assert [block.kind for block in blocks("1. one\nand more\n")] == ["paragraph"]


def test_markup_stays_text() -> None:
    assert list(blocks("<script>x</script>")) == [Block("paragraph", [[Span("<script>x</script>")]])]


@pytest.mark.parametrize("language", ["da", "en"])
def test_every_transport_and_source_has_a_help_page_that_can_be_shown(language: str) -> None:
    for kind in gateways.kinds():
        assert list(blocks(gateways.help_of(kind, language)))
    assert title(sources.help_of("billy", language))
