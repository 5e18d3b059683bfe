from __future__ import annotations

import pytest

from invoiceapp.services.export import drawing


def test_a_document_that_breaks_the_renderer_is_a_pdf_that_cannot_be_drawn(monkeypatch):
    class Broken:
        def submit(self, *_):
            raise ZeroDivisionError

    class Invoice:
        number = "1001"

    monkeypatch.setattr(drawing, "_executor", Broken)
    with pytest.raises(drawing.CannotDraw):
        drawing.draw(Invoice())
