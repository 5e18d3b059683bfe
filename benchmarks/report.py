"""Tables and plots out of the figures in ``build/bench``: ``python -m benchmarks.report``.

A document says by a mark where a table goes (``<!-- bench:NAME -->`` … ``<!-- /bench -->``, ``<!-- sizing -->`` …
``<!-- /sizing -->``). What was not measured keeps the table that it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import results
from .svg import bar_chart, figure, line_chart

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT, OPERATIONS, PLOTS = ROOT / "docs/performance.md", ROOT / "docs/operations.md", ROOT / "docs/performance"

Row = Mapping[str, Any]
Figures = Mapping[str, Any]
Plotter = Callable[[Figures], str]


def cell(value: object) -> str:
    """A figure as people read it."""
    if value is None:
        return "–"
    if isinstance(value, list):
        return " / ".join(map(cell, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    return figure(value) if isinstance(value, float) else str(value)


def _is_plain(value: object) -> bool:
    return not isinstance(value, dict) and not (
        isinstance(value, list) and any(isinstance(one, dict | list) for one in value)
    )


def table(rows: Sequence[Row]) -> str:
    """Markdown, with the keys of all rows as columns; what is no single value stays in the JSON."""
    columns = list(dict.fromkeys(key for row in rows for key, value in row.items() if _is_plain(value)))
    lines = [columns, ["---"] * len(columns), *([cell(row.get(column)) for column in columns] for row in rows)]
    named = [[column.replace("_", " ") for column in columns], *lines[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in named)


def by_size(rows: Sequence[Row], what: str) -> list[dict[str, Any]]:
    """One row for each ``what``, one column for each number of lines, the medians inside."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row[what], {what: row[what]})[f"{cell(row['lines'])} lines"] = row["median"]
    return list(found.values())


def exports(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What the export benchmark's rows say in short."""
    kept = ("partner", "workers", "documents", "arrived", "documents_per_second", "limit")
    return [
        {
            **{name: row[name] for name in kept}, "reached": f"{row['reached']:.0%}", "slowest_part": row["slowest"],
            "worker_MB": max((one["largest_mb"] for one in row["memory"]), default=None),
        }
        for row in rows
    ]  # fmt: skip


def _growth(title: str, what: str) -> Plotter:
    """Milliseconds a document over its lines."""

    def plot(figures: Figures) -> str:
        series: dict[str, list[tuple[float, float]]] = {}
        for row in figures["rows"]:
            series.setdefault(row[what], []).append((row["lines"], 1_000 / row["median"]))
        return line_chart(title, series, "lines", "milliseconds a document", log_x=True, log_y=True)

    return plot


def _peers(figures: Figures) -> str:
    bars = {f"{row['who']}, {cell(row['lines'])} lines": row["median"] for row in figures["rows"]}
    return bar_chart(figures["title"], bars, "documents a second", log=True)


def _day(figures: Figures) -> str:
    """What waits over the hours of the simulated day."""
    depth: Mapping[str, Sequence[tuple[float, float]]] = figures["depth"]
    series = {name: [(seconds / 3600, count) for seconds, count in points] for name, points in depth.items()}
    return line_chart(figures["plot"], series, "hour of the day", "documents that wait")


#: How a table is made that is not simply the rows.
TABLES: dict[str, Callable[[Sequence[Row]], list[dict[str, Any]]]] = {
    "convert": lambda rows: by_size(rows, "format"),
    "validate": lambda rows: by_size(rows, "layer"),
    "export-sqlite": exports,
    "export-postgresql": exports,
}
#: What is drawn beside its table.
DRAWN: dict[str, Plotter] = {
    "convert": _growth("Writing a document", "format"),
    "validate": _growth("Validating a document", "layer"),
    "convert-peers": _peers,
    "validate-peers": _peers,
    "simulation": _day,
}


def block(name: str, figures: Figures, plots: Path) -> str:
    """What stands between the marks: the table, the plot, how to repeat it."""
    rows = figures["rows"]
    parts = [table(TABLES[name](rows) if name in TABLES else rows)]
    if name in DRAWN:
        plots.mkdir(exist_ok=True)
        (plots / f"{name}.svg").write_text(DRAWN[name](figures))
        parts.append(f"![{name}]({plots.name}/{name}.svg)")
    if figures.get("note"):
        parts.append(str(figures["note"]))
    parts.append(repeat(figures))
    return "\n\n".join(parts)


def repeat(figures: Figures) -> str:
    """When, on what, and the command that does it again."""
    machine = figures["machine"]
    where = f"{machine['cores']} cores ({machine['cpu']}), Python {machine['python']}"
    return f"Measured on {figures['when'][:10]}, {where}. Repeat: `{figures['command']}`"


def fill(text: str, name: str, content: str, mark: str | None = None) -> str:
    """The text with what stands between the marks of ``name`` replaced; unchanged where it has none."""
    start, end = (f"<!-- {mark} -->", f"<!-- /{mark} -->") if mark else (f"<!-- bench:{name} -->", "<!-- /bench -->")
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    return pattern.sub(lambda _: f"{start}\n{content}\n{end}", text, count=1)


def main() -> None:
    """Bring both documents up to date with what was measured, and say what was not."""
    text, shown = DOCUMENT.read_text(), []
    for name in re.findall(r"<!-- bench:([\w-]+) -->", text):
        path = results.FOLDER / f"{name}.json"
        if path.exists():
            text = fill(text, name, block(name, json.loads(path.read_text()), PLOTS))
            shown.append(name)
        else:
            print(f"{name}: not measured, its table stays")
    DOCUMENT.write_text(text)
    sizing = results.FOLDER / "sizing.json"
    if sizing.exists() and OPERATIONS.exists():
        figures = json.loads(sizing.read_text())
        content = f"{table(figures['rows'])}\n\n{figures['note']}\n\n{repeat(figures)}"
        OPERATIONS.write_text(fill(OPERATIONS.read_text(), "sizing", content, mark="sizing"))
        shown.append("sizing")
    print(f"written: {', '.join(shown) or 'nothing'}")


if __name__ == "__main__":
    main()
