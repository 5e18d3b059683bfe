"""The benchmark of a whole export measures what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from invoiceapp.supervisor import valkey_binary

ROOT = Path(__file__).parents[2]


@pytest.mark.server
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.skipif(valkey_binary() is None, reason="needs Valkey or Redis")
def test_twenty_invoices_arrive_and_every_figure_of_the_limit_is_told(tmp_path):
    path = tmp_path / "export.json"
    command = ["-m", "benchmarks.export", "--documents", "20", "--workers", "1", "--partners", "http", "--latency", "1"]
    done = subprocess.run(
        [sys.executable, *command, "--longest", "60", "--json", str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(path.read_text())["rows"]
    assert row["is_whole"] and row["arrived"] == 20
    assert row["calls"]["download"] == row["calls"]["invoices/:id"] == 20, "a PDF for each"
    assert row["resources"].keys() == {"fetch", "workers", "cores", "gateway", "database"}
    assert row["limit"] == min(row["resources"].values())
    assert row["reached"] == pytest.approx(row["documents_per_second"] / row["limit"])
    assert row["transactions_per_document"] > 2 and len(row["memory"]) == 1
