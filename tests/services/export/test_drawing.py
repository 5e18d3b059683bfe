from __future__ import annotations

import os
import time

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


def test_a_drawing_that_takes_too_long_leaves_no_process_behind(monkeypatch):
    class Invoice:
        number = "1001"

    pool = drawing._executor()
    pid = pool.submit(os.getpid).result(60)
    submit = pool.submit
    monkeypatch.setattr(pool, "submit", lambda *_: submit(time.sleep, 60))
    monkeypatch.setattr(drawing, "_DEADLINE", 0.3)
    with pytest.raises(drawing.CannotDraw, match="could not be drawn"):
        drawing.draw(Invoice())
    deadline = time.monotonic() + 10
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
