"""Figures become tables between marks, and plots that are XML."""

from __future__ import annotations

import json

import pytest
from lxml import etree

from benchmarks import report, results
from benchmarks.svg import bar_chart, figure, line_chart


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A document with marks, and a folder for results."""
    monkeypatch.setattr(results, "FOLDER", tmp_path / "bench")
    for name in ("DOCUMENT", "OPERATIONS", "PLOTS"):
        monkeypatch.setattr(report, name, tmp_path / name.lower())
    report.OPERATIONS.write_text("# Operations\n<!-- sizing -->\nold\n<!-- /sizing -->\n")
    return tmp_path


def test_a_table_takes_the_place_between_its_marks_and_nothing_else_changes(measured):
    report.DOCUMENT.write_text(
        "before\n<!-- bench:agents -->\nold\n<!-- /bench -->\nbetween\n<!-- bench:none -->\nkept\n<!-- /bench -->\n"
    )
    results.write("agents", "python -m benchmarks.agents", [{"name": "a", "p95_ms": 1234.5}, {"name": "b", "ok": True}])
    report.main()
    text = report.DOCUMENT.read_text()
    assert text.startswith(
        "before\n<!-- bench:agents -->\n| name | p95 ms | ok |\n| --- | --- | --- |\n| a | 1 230 | – |\n| b | – | yes |\n"
    )
    assert (
        "Repeat: `python -m benchmarks.agents`\n<!-- /bench -->\nbetween\n<!-- bench:none -->\nkept\n<!-- /bench -->\n"
        in text
    )
    report.main()
    assert report.DOCUMENT.read_text() == text


def test_sizes_go_into_the_runbook(measured):
    report.DOCUMENT.write_text("")
    results.write(
        "sizing", "python -m benchmarks.simulation", [{"invoices_a_month": 20_000, "hosts": 1}], note="For a peak day."
    )
    report.main()
    assert (
        "<!-- sizing -->\n| invoices a month | hosts |\n| --- | --- |\n| 20 000 | 1 |\n\nFor a peak day."
        in report.OPERATIONS.read_text()
    )
    assert "old" not in report.OPERATIONS.read_text()


def test_growth_is_a_table_by_lines_and_a_plot(measured):
    report.DOCUMENT.write_text("<!-- bench:convert -->\n<!-- /bench -->")
    rows = [{"format": "cii", "lines": lines, "median": 100 / lines, "low": 1.0, "high": 2.0} for lines in (1, 1_000)]
    results.write("convert", "python -m benchmarks.convert", rows)
    report.main()
    assert "| format | 1 lines | 1 000 lines |" in report.DOCUMENT.read_text()
    assert "| cii | 100 | 0.1 |" in report.DOCUMENT.read_text()
    root = etree.parse(str(report.PLOTS / "convert.svg")).getroot()
    assert len(root.findall("{*}polyline")) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (12_345.6, "12 300"), (4.5, "4.5"), (0.03217, "0.0322"), (999.9, "1 000"), (10.0, "10")],
)
def test_figures_have_three_digits_that_count(value, shown):
    assert figure(value) == shown


def test_plots_are_xml_whatever_names_say():
    name = 'a <b> & "c"'
    for drawn in (
        line_chart(name, {name: [(0, 1), (10, 100)]}, name, name, log_x=True, log_y=True),
        line_chart(name, {}, name, name),
        bar_chart(name, {name: 3, "none": 0}, name, log=True),
    ):
        assert etree.fromstring(drawn.encode()).tag.endswith("svg")


def test_what_was_measured_is_json_with_what_it_was_measured_on(measured):
    path = results.write("x", "do it", [{"a": 1}], goal=5)
    kept = json.loads(path.read_text())
    assert (kept["name"], kept["command"], kept["rows"], kept["goal"]) == ("x", "do it", [{"a": 1}], 5)
    assert {"cores", "python"} <= kept["machine"].keys()
