"""Pictures of PDF pages."""

from __future__ import annotations

import io

import pypdfium2
import pytest
from PIL import Image

from invoiceapp.services.export import preview


def _pdf(pages: int = 1, width: float = 595, height: float = 842) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(width, height)
    buffer = io.BytesIO()
    document.save(buffer)
    document.close()
    return buffer.getvalue()


def test_no_more_pages_are_shown_than_agreed() -> None:
    assert preview.page_count(_pdf(3)) == 3
    assert preview.page_count(_pdf(preview.MOST_PAGES + 2)) == preview.MOST_PAGES


@pytest.mark.parametrize(("width", "height"), [(595, 842), (842, 595), (14_400, 200)])
def test_a_page_of_any_size_becomes_a_picture_of_the_same_longer_side(width: float, height: float) -> None:
    picture = Image.open(io.BytesIO(preview.page_png(_pdf(1, width, height), 1)))
    assert picture.format == "PNG"
    assert max(picture.size) == pytest.approx(preview.LONGER_SIDE, abs=1)


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_page_that_does_not_exist_is_refused(number: int) -> None:
    with pytest.raises(IndexError):
        preview.page_png(_pdf(1), number)


@pytest.mark.parametrize("content", [b"", b"no PDF", _pdf()[:40]])
def test_a_broken_file_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(preview.PdfUnreadable):
        preview.page_count(content)
