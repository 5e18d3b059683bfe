"""The report: what was done to whom, and each document beside what its partner wrote."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .checker import Judged, Result


@dataclass
class Story:
    """One run."""

    seed: int
    database: str
    documents: int
    workers: int
    seconds: float
    disk: str
    """How a full disk was made"""
    happenings: list[tuple[float, str]] = field(default_factory=list)
    """Seconds since the beginning, and what was done"""
    figures: dict[str, Any] = field(default_factory=dict)


def write(path: Path, story: Story, result: Result) -> None:
    """``path`` in Markdown, and the same beside it as ``.json``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {**asdict(story), "is_good": result.is_good, "verdicts": result.count(), "violations": result.violations}
    path.with_suffix(".json").write_text(
        json.dumps(done | {"books": [asdict(one) for one in result.documents]}, indent=1, ensure_ascii=False)
    )
    path.write_text("\n".join(_markdown(story, result)) + "\n")


def summary(story: Story, result: Result) -> list[str]:
    """A few lines for the terminal."""
    kinds = Counter(what.partition(":")[0] for _, what in story.happenings)
    size = f"{len(result.documents)} documents, {story.workers} workers, {story.seconds:.0f} s of chaos"
    return [
        f"seed {story.seed}, {story.database}, {size}",
        "done: " + ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items())),
        *(f"{count:6}  {verdict}" for verdict, count in result.count().items()),
        *(f"WRONG   {said}" for said in result.violations[:20]),
        "the books agree" if result.is_good else "THE BOOKS DO NOT AGREE",
    ]


def _markdown(story: Story, result: Result) -> list[str]:
    unclear = [one for one in result.documents if one.verdict.value.startswith(("unknown", "waits"))]
    bad = [one for one in result.documents if one.verdict.is_bad]
    asked = (
        f"--seed {story.seed} --database {story.database} --documents {story.documents} --workers {story.workers} "
        f"--seconds {story.seconds:.0f}"
    )
    return [
        "# Chaos run",
        "",
        f"Repeat it: `python -m chaos {asked}`",
        "",
        f"Result: **{'the books agree' if result.is_good else 'THE BOOKS DO NOT AGREE'}**. Full disk: {story.disk}.",
        "",
        *_pairs("Verdict", "Documents", result.count()),
        "## What must not be",
        "",
        *(
            [f"- {said}" for said in result.violations] or ["Nothing."]
            if not bad
            else [f"- {x}" for x in result.violations]
        ),
        "",
        *(_table(bad) if bad else ()),
        "## Figures",
        "",
        *_pairs("Figure", "Value", story.figures),
        "## What was done",
        "",
        *(f"- {at:6.1f} s  {what}" for at, what in story.happenings),
        "",
        "## Nobody knows, and what is true",
        "",
        *_table(unclear),
        "## All documents",
        "",
        *_table(result.documents),
    ]


def _pairs(left: str, right: str, values: Mapping[str, Any]) -> list[str]:
    return [f"| {left} | {right} |", "|---|---|", *(f"| {name} | {value} |" for name, value in values.items()), ""]


def _table(documents: Sequence[Judged]) -> list[str]:
    rows = (
        f"| {one.number} | {one.partner} | {one.verdict} | {one.state} | {', '.join(one.tries)} | "
        f"{', '.join(one.receipts)} | {', '.join(one.lines)} |"
        for one in documents
    )
    return [
        "| Document | Partner | Verdict | Our state | Our tries | Our evidence | The partner's lines |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]
