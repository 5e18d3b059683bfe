"""Pictures from numbers, as SVG that has no text, no style and no script: words and scales stand beside it as HTML.

So they are readable at every width, and light or dark through the classes ``part-<name>`` (static/app.css).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

#: Units of the drawing area; it is stretched to whatever room there is.
WIDTH, HEIGHT = 600, 100
_GAP = 0.2
_SVG = Markup(
    '<svg class="chart-area" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
    "{content}</svg>"
)
_RECT = Markup(
    '<rect class="part-{part}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">{title}</rect>'
)
_TITLE = Markup("<title>{}</title>")
# Not for the keyboard: the table beside the picture has the same links.
_LINK = Markup('<a href="{url}" tabindex="-1">{content}</a>')
_LINE = Markup('<line class="chart-grid" x1="0" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"></line>')


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar."""

    part: str
    value: int
    title: str = ""
    """What the mouse is told"""
    url: str | None = None


def top_of(values: Sequence[int]) -> int:
    """A round number that all values stay under: 1, 2 or 5 and zeros, and 2 at least so that it has a half."""
    largest, step = max(values, default=0), 1
    while True:
        for factor in (2, 4, 10):
            if largest <= factor * step:
                return factor * step
        step *= 10


def columns(bars: Sequence[Sequence[Segment]], top: int) -> Markup:
    """Stacked columns, the first segment at the bottom; ``top`` is the value of the upper edge."""
    room = WIDTH / max(len(bars), 1)
    grid = [_LINE.format(width=WIDTH, y=HEIGHT * share) for share in (0.005, 0.5, 0.995)]
    drawn = [*grid]
    for place, bar in enumerate(bars):
        floor = float(HEIGHT)
        for segment in bar:
            height = HEIGHT * segment.value / top
            floor -= height
            if segment.value:
                drawn.append(_drawn(segment, room * (place + _GAP / 2), floor, room * (1 - _GAP), height))
    return _SVG.format(width=WIDTH, height=HEIGHT, content=Markup("").join(drawn))


def strip(segments: Sequence[Segment], total: int) -> Markup:
    """One bar that lies, ``total`` wide."""
    left, drawn = 0.0, []
    for segment in segments:
        width = WIDTH * segment.value / max(total, 1)
        if segment.value:
            drawn.append(_drawn(segment, left, 0, width, HEIGHT))
        left += width
    return _SVG.format(width=WIDTH, height=HEIGHT, content=Markup("").join(drawn))


def _drawn(segment: Segment, x: float, y: float, width: float, height: float) -> Markup:
    title = _TITLE.format(segment.title) if segment.title else Markup("")
    rect = _RECT.format(part=segment.part, x=x, y=y, width=width, height=height, title=title)
    return _LINK.format(url=segment.url, content=rect) if segment.url else rect


def of_parts(parts: Mapping[str, int]) -> list[Segment]:
    """Segments of parts by name, in their order."""
    return [Segment(part, value) for part, value in parts.items()]
