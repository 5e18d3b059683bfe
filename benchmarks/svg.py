"""Plots as SVG files that stand alone: lines over one or two logarithmic axes, and bars that lie.

No library, no script; readable in light and dark, because the colours follow the reader's setting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

Point = tuple[float, float]

WIDTH, HEIGHT = 760, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 44, 48
_BAR, _LABEL = 26, 300
#: Tell eight lines apart for people who see few colours, on white and on black (after Okabe and Ito).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b08800", "#56b4e9", "#7a5195", "#888888")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:15px}.grid{stroke:#d0d7de}"
    ".end{text-anchor:end}.middle{text-anchor:middle}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#3d444d}}"
)


def figure(value: float) -> str:
    """Three digits that count, thousands apart: 12 300, 4.56, 0.032."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return (
        f"{rounded:,.{max(digits, 0)}f}".replace(",", " ")
        if digits <= 0
        else f"{rounded:.{digits}f}".rstrip("0").rstrip(".")
    )


def line_chart(
    title: str,
    series: Mapping[str, Sequence[Point]],
    x_label: str,
    y_label: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
) -> str:
    """Lines by name; a logarithmic axis leaves out what is not above 0."""
    kept = {
        name: [(x, y) for x, y in points if (x > 0 or not log_x) and (y > 0 or not log_y)]
        for name, points in series.items()
    }
    xs, ys = ([point[axis] for points in kept.values() for point in points] for axis in (0, 1))
    x_ticks, y_ticks = _ticks(xs, log=log_x), _ticks(ys, log=log_y)
    across = _scale(x_ticks, _LEFT, WIDTH - _RIGHT, log=log_x)
    down = _scale(y_ticks, HEIGHT - _BOTTOM, _TOP, log=log_y)
    drawn = [
        _text(title, 12, 24, "title"),
        _text(y_label, 12, HEIGHT - 10),
        _text(x_label, WIDTH - _RIGHT, HEIGHT - 10, "end"),
    ]
    for tick in y_ticks:
        drawn.append(_rule(_LEFT, down(tick), WIDTH - _RIGHT, down(tick)))
        drawn.append(_text(figure(tick), _LEFT - 8, down(tick) + 4, "end"))
    for tick in x_ticks:
        drawn.append(_rule(across(tick), _TOP, across(tick), HEIGHT - _BOTTOM))
        drawn.append(_text(figure(tick), across(tick), HEIGHT - _BOTTOM + 18, "middle"))
    for number, (name, points) in enumerate(kept.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        top = _TOP + 18 * number
        drawn.append(f'<rect x="{WIDTH - _RIGHT + 14}" y="{top}" width="14" height="4" fill="{colour}"/>')
        drawn.append(_text(name, WIDTH - _RIGHT + 34, top + 7))
    return _document(title, WIDTH, HEIGHT, drawn)


def bar_chart(title: str, bars: Mapping[str, float], unit: str, *, log: bool = False) -> str:
    """One bar for each name, with its figure; ``log`` where the largest is a thousand times the smallest."""
    height = _TOP + _BAR * len(bars) + 12
    values = [value for value in bars.values() if value > 0]
    ends = (min(values, default=1) / 2, max(values, default=1)) if log else (0, max(values, default=1))
    along = _scale(ends, _LABEL, WIDTH - 90, log=log)
    drawn = [_text(f"{title}, {unit}", 12, 24, "title")]
    for number, (name, value) in enumerate(bars.items()):
        top = _TOP + _BAR * number
        right = along(value) if value > 0 else _LABEL
        drawn.append(_text(name, _LABEL - 8, top + 14, "end"))
        drawn.append(
            f'<rect x="{_LABEL}" y="{top}" width="{right - _LABEL:.1f}" height="{_BAR - 8}" fill="{_COLOURS[0]}"/>'
        )
        drawn.append(_text(figure(value), right + 6, top + 14))
    return _document(title, WIDTH, height, drawn)


def _scale(ends: Sequence[float], start: float, end: float, *, log: bool) -> Callable[[float], float]:
    """From values to places; the first and the last of ``ends`` lie at ``start`` and ``end``."""
    measure: Callable[[float], float] = math.log10 if log else float
    low, high = measure(ends[0]), measure(ends[-1])
    return lambda value: start + (measure(value) - low) / ((high - low) or 1) * (end - start)


def _ticks(values: Sequence[float], *, log: bool) -> list[float]:
    """Round values around all of these: powers of ten, or about five steps from zero."""
    if not values:
        return [1, 10] if log else [0, 1]
    if log:
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return [10.0**power for power in range(low, max(high, low + 1) + 1)]
    step = 10.0 ** math.floor(math.log10(max(*values, 1e-9)))
    step = next(step * part for part in (0.2, 0.5, 1, 2) if max(values) <= 5 * step * part or part == 2)
    return [step * number for number in range(math.ceil(max(values) / step) + 1)] or [0, step]


def _text(text: str, x: float, y: float, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _document(title: str, width: int, height: int, drawn: Sequence[str]) -> str:
    content = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>\n{content}\n</svg>\n"
    )
