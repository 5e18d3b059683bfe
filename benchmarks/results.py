"""One file of results per benchmark: ``build/bench/<name>.json``, for tables, plots and comparisons."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path("build/bench")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"cores": cores(), "python": platform.python_version(), "cpu": _cpu()}


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def command() -> str:
    """How this process was called, to be repeated from the root of the repository."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name.removesuffix(".__main__") if spec else Path(sys.argv[0]).name
    return " ".join(("python -m", module, *sys.argv[1:]))


def write(name: str, command: str, rows: Sequence[dict[str, Any]], *, path: Path | None = None, **more: Any) -> Path:
    """Keep the results of the benchmark ``name``; ``more`` stands beside the rows. Where they lie."""
    path = path or FOLDER / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        "name": name, "when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(),
        "command": command, "rows": list(rows), **more,
    }  # fmt: skip
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def no_arguments(about: str | None) -> None:
    """For a benchmark that has no options: ``--help`` says what it measures, instead of measuring it."""
    argparse.ArgumentParser(description=about).parse_args()
